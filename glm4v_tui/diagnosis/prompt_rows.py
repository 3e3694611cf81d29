"""Failures of a prompt: its images, its text, its template."""

from __future__ import annotations

from glm4v_tui.diagnosis.row import RAISED, Row
from glm4v_tui.errors import ImageError

PROMPT_ROWS = (
    Row(
        "image-tokens",
        r"(?:Image|Video) features and (?:image|video) tokens do not match"
        r"|Mismatch in `image` token count",
        "Text and images of the prompt do not fit together",
        "The prompt holds another number of image places than the images fill: it was cut off, "
        "put together by hand, or its text spells the model's own image tokens.",
        "Start a new conversation; a question must not spell the model's own image tokens. "
        "glm4v-tui never cuts an image in two: it builds the prompt anew for every question.",
    ),
    Row(
        "aspect-ratio",
        r"absolute aspect ratio must be smaller",
        "An image is too long and thin for this model",
        "Its longer side is more than 200 times the shorter one.",
        "Ask about a part of it (--crop; in the chat F2, then c).",
        ImageError,
        says_all=True,
    ),
    Row(
        "chat-template",
        rf"{RAISED}(?:TemplateError|UndefinedError)\b|raise_exception",
        "The model's chat template refuses this conversation",
        "Some models take no system prompt, or want question and answer to take turns.",
        "Start a new conversation without a system prompt.",
    ),
)
