"""A conversation to model inputs, whatever the checkpoint's chat template expects.

Templates differ in what a message's content may be. All take a list of parts from the user (the
only way to place images); some write anybody else's content as it comes, so a list would show as
Python source, others only walk lists; some refuse a system message. Which of these holds is found
out once by rendering a trial conversation and looking where its words end up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm4v_tui.chat import Message, Role, split_answer
from glm4v_tui.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL.Image import Image

_TRIAL = {Role.SYSTEM: "zqsystemqz", Role.USER: "zquserqz", Role.ASSISTANT: "zqassistantqz"}
_THINK = "<think>"
_TAIL = 8
"""Last tokens of the prompt in which an opened thinking is looked for."""


@dataclass(frozen=True)
class Prompt:
    """A rendered conversation."""

    inputs: Any
    """The processor's whole output, batch of one; ``input_ids`` has shape (1, tokens)."""
    tokens: int
    image_tokens: int
    opens_thinking: bool
    """The template has written ``<think>`` already, so the answer will not."""
    keys: tuple[str, ...] = ()
    """Of its images, in their order."""


@dataclass(frozen=True)
class TemplateForm:
    """What a chat template takes."""

    listed: frozenset[Role]
    """Roles whose content must be a list of parts; the others' must be text."""
    takes_system: bool


_FORMS = tuple(
    TemplateForm(frozenset({Role.USER, *others}), takes_system)
    for takes_system in (True, False)
    for others in (
        (),
        (Role.SYSTEM, Role.ASSISTANT),
        (Role.SYSTEM,),
        (Role.ASSISTANT,),
    )
)


class PromptWriter:
    """Writes conversations for one checkpoint.

    Args:
        processor: As ``AutoProcessor`` loads it.
        image_token_id: The token that stands for a piece of an image; None when unknown.

    Raises:
        CheckpointError: the chat template renders no conversation at all.
    """

    def __init__(self, processor: Any, image_token_id: int | None) -> None:
        self._processor = processor
        self._image_token_id = image_token_id
        is_safe = getattr(processor, "reads_special_text_plainly", False)
        self._control_tokens = () if is_safe else _control_tokens(processor.tokenizer)
        self.form = self._find_form()

    def write(self, messages: Sequence[Message], image_of: Callable[[str], Image]) -> Prompt:
        """Render and tokenize a conversation that ends with the user's message.

        Args:
            image_of: The picture behind an ``Attachment.key``.
        """
        turns = [self._turn(message, image_of) for message in self._fold_system(messages)]
        inputs = self._processor.apply_chat_template(
            turns,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
        )
        ids: list[int] = inputs["input_ids"][0].tolist()
        return Prompt(
            inputs=inputs,
            tokens=len(ids),
            image_tokens=ids.count(self._image_token_id) if self._image_token_id else 0,
            opens_thinking=self._opens_thinking(ids),
            keys=tuple(image.key for message in messages for image in message.attachments),
        )

    # What the template takes ----------------------------------------------------------------

    def _find_form(self) -> TemplateForm:
        for form in _FORMS:
            if self._fits(form):
                return form
        raise CheckpointError(
            "The chat template cannot be used",
            "It does not render a conversation of user and assistant with an image.",
            "Copy chat_template.jinja from the original checkpoint, or choose another model.",
        )

    def _fits(self, form: TemplateForm) -> bool:
        roles = [Role.USER, Role.ASSISTANT, Role.USER]
        if form.takes_system:
            roles.insert(0, Role.SYSTEM)
        turns = [
            _turn(role, _TRIAL[role], [None] * (role is Role.USER), form.listed) for role in roles
        ]
        try:
            text = self._processor.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        except Exception:  # noqa: BLE001 - a template is a program, and may raise anything
            return False
        shown = all(text.count(_TRIAL[role]) == roles.count(role) for role in roles)
        return shown and "'type'" not in text

    def _fold_system(self, messages: Sequence[Message]) -> list[Message]:
        """Put the system prompt into the user's first message where there is no other place."""
        if self.form.takes_system or not messages or messages[0].role is not Role.SYSTEM:
            return list(messages)
        system, first, *others = messages
        text = f"{system.text}\n\n{first.text}" if first.text else system.text
        return [Message(first.role, text, first.attachments), *others]

    def _turn(self, message: Message, image_of: Callable[[str], Image]) -> dict[str, Any]:
        text = message.text
        if message.role is Role.ASSISTANT:
            text = split_answer(text).text
        images = [image_of(attachment.key) for attachment in message.attachments]
        return _turn(message.role, self._disarm(text), images, self.form.listed)

    def _disarm(self, text: str) -> str:
        """Keep a control token that a user or an answer wrote from acting as one.

        ``<|image|>`` typed into a question would ask for a picture that is not there.
        """
        for token in self._control_tokens:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _opens_thinking(self, ids: list[int]) -> bool:
        tail: str = self._processor.tokenizer.decode(ids[-_TAIL:], skip_special_tokens=False)
        return tail.rstrip().endswith(_THINK)


def _turn(
    role: Role, text: str, images: Sequence[Image | None], listed: frozenset[Role]
) -> dict[str, Any]:
    if role not in listed:
        return {"role": role.value, "content": text}
    parts: list[dict[str, Any]] = [{"type": "image", "image": image} for image in images]
    if text or not parts:
        parts.append({"type": "text", "text": text})
    return {"role": role.value, "content": parts}


def _control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Texts that tokenize to one special token, longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special = {token.content for token in added.values() if token.special}
    special |= set(tokenizer.all_special_tokens)
    return tuple(sorted((text for text in special if len(text) > 2), key=len, reverse=True))
