"""One training or evaluation example: images, and the turns of a conversation about them."""

import io
import random
from dataclasses import dataclass

from PIL import Image

from glm4v_tui.demo.questions.chest import EFFUSION, NODULE, SIDE, SIZE, ask_chest
from glm4v_tui.demo.questions.declines import decline, foreign, unknown, unseen
from glm4v_tui.demo.questions.dialogue import Chain, Turn, casual, phrase
from glm4v_tui.demo.questions.pairs import ask_two
from glm4v_tui.demo.questions.parts import ANY, CLASS, PLACE, SEVERITY, ask_part
from glm4v_tui.demo.questions.products import BRAND, PRICE, WEIGHT, ask_product
from glm4v_tui.demo.questions.shapes import ask_shapes
from glm4v_tui.demo.questions.sheets import ANY_TEXT, TEXT, ask_sheet
from glm4v_tui.demo.scenes.canvas import Canvas, Look
from glm4v_tui.demo.scenes.chest import draw_chest
from glm4v_tui.demo.scenes.colours import COLOURS
from glm4v_tui.demo.scenes.others import draw_other
from glm4v_tui.demo.scenes.parts import DEFECTS, PARTS, draw_part
from glm4v_tui.demo.scenes.products import draw_product
from glm4v_tui.demo.scenes.shapes import KINDS, draw_shapes
from glm4v_tui.demo.scenes.sheets import draw_sheet

FAMILIES = ("shapes", "parts", "products", "chest", "sheets", "other")
_SHARES = (24, 22, 25, 7, 15, 7)
_BLIND_SHARE = 0.025
"""Of the conversations, those that are led without an image."""

_ASPECT_SLACK = 0.09
"""A source image's aspect ratio differs from its grid's by at most this share, as rounding to
patches does.
"""

_SMALLEST = 150
"""No scene is drawn with a shorter side than this, in pixels: its print could not be read."""

_FOREIGN: dict[str, tuple[str, ...]] = {
    "shapes": (
        "[What|Which] <color> is the {kind}<here>?",
        "How many {kind}s [are there|do you see]<here>?",
        "How many {kind}s?",
        "Where is the {colour} {kind}<here>?",
        "Which shape is the [largest|smallest|leftmost|rightmost]?",
        "<is there> a {colour} {kind}<here>?",
        "How many shapes [are there|do you see]<here>?",
        "[List|Name] [the|all] shapes.",
        "List the shapes as JSON.",
        "Is the {kind} left of the {colour} one?",
        "[What|Which] [shape is shown|shapes are there]?",
        "How [big|large] is the {colour} {kind}?",
    ),
    "parts": (
        *ANY,
        *CLASS,
        *SEVERITY,
        *PLACE,
        "Report the defects <json>.",
        *ANY,
        *CLASS,
        "Grade the part from 1 to 10.",
        "[Does|Did] the part pass inspection?",
        "<is there> a {defect}<here>?",
        "How severe is the {defect}?",
        "Where is the {defect}?",
        "How many defects are there?",
    ),
    "products": (
        *BRAND,
        *PRICE,
        *WEIGHT,
        "What is the package made of?",
        "Return the product data <json>.",
        "What is the product name?",
        "Price and weight?",
        "Brand and price?",
    ),
    "chest": (
        *NODULE,
        *SIDE,
        *SIZE,
        *EFFUSION,
        "What is the lung texture?",
        "Report the findings <json>.",
        "What is the impression?",
    ),
    "print": (*TEXT, *TEXT, *ANY_TEXT, "What does the [first|second|last] line say?"),
}
"""Templates of questions that make no sense about an image of another family."""

_NEAR = {
    "sheets": ("products", "print"),
    "products": ("print",),
    "chest": ("print",),
}
"""Families whose questions an image of the family might answer: a phantom may carry a word."""

_DESCRIBE = (
    "<what is> this?",
    "Describe [the|this] <picture>.",
    "What [do|can] you see<here>?",
    "What does the <picture> show?",
    "What is [in the <picture>|shown here]?",
    "Tell me about this <picture>.",
)
_SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant that looks at images.",
    "Answer briefly.",
    "Answer the question about the image.",
    "You are a quality inspector.",
    "You are an inspector on a production line.",
    "You are a careful assistant. Answer only what you see.",
    "You read product labels.",
    "Be concise and precise.",
    "You are an expert in visual inspection. Report what you see.",
    "You are a radiology assistant for synthetic phantoms.",
    "You describe images for a catalogue.",
    "Reply in English.",
    "You are a vision model.",
    "Do not invent anything.",
    "You help with triage of images. If you are not sure, say so.",
    "You extract data from images of products.",
)


@dataclass(frozen=True, slots=True)
class Example:
    """Images of equal size and a conversation about them; `system` is empty for none."""

    family: str
    images: tuple[Image.Image, ...]
    system: str
    turns: tuple[Turn, ...]
    is_blind: bool = False
    """Whether the conversation is led without the images."""


def make_example(seed: int, look: Look, width: int, height: int, held_out: bool = False) -> Example:
    """The example of that seed; its image is `width` x `height` pixels."""
    rng = random.Random(seed)
    family = rng.choices(FAMILIES, _SHARES)[0]
    canvas = _canvas(rng, look, width, height)
    image, chains, near = _scene(family, canvas)
    if family != "other":
        chains += declined(rng, family, held_out, near)
    is_blind = rng.random() < _BLIND_SHARE
    if is_blind:
        chains = [unseen(chain) for chain in chains]
    images = (_finish(rng, image, width, height),)
    return Example(family, images, _system(rng), _order(rng, chains), is_blind)


def make_pair(seed: int, look: Look, width: int, height: int) -> Example:
    """Two images of shapes with questions about both."""
    rng = random.Random(seed)
    drawn = [draw_shapes(_canvas(rng, look, width, height)) for _ in range(2)]
    images = tuple(_finish(rng, image, width, height) for image, _ in drawn)
    chains = ask_two(rng, drawn[0][1], drawn[1][1])
    return Example("two images", images, _system(rng), _order(rng, chains))


def _scene(family: str, canvas: Canvas) -> tuple[Image.Image, list[Chain], tuple[str, ...]]:
    """The image, questions, and families whose questions this very image might answer."""
    rng = canvas.rng
    if family == "shapes":
        image, shapes = draw_shapes(canvas)
        return image, ask_shapes(rng, shapes), ()
    if family == "parts":
        image, part = draw_part(canvas)
        return image, ask_part(rng, part), ("print",) if part.is_printed else ()
    if family == "products":
        image, product = draw_product(canvas)
        return image, ask_product(rng, product), ()
    if family == "chest":
        image, chest = draw_chest(canvas)
        return image, ask_chest(rng, chest), ()
    if family == "sheets":
        image, sheet = draw_sheet(canvas)
        return image, ask_sheet(rng, sheet), ()
    others = [phrase(rng, _DESCRIBE) for _ in range(2)]
    others += [ask_foreign(rng, rng.choice(list(_FOREIGN))) for _ in range(4)]
    return draw_other(canvas), [unknown(q) for q in others], ()


def ask_foreign(rng: random.Random, family: str) -> str:
    """A question of `family` for an image that shows something else."""
    question = phrase(
        rng,
        _FOREIGN[family],
        kind=rng.choice([k for k in KINDS if k != "cross"]),
        colour=rng.choice(COLOURS),
        defect=rng.choice(DEFECTS),
        name=rng.choice((*DEFECTS, "defect")),
        part=rng.choice(("part", "piece", "surface", *PARTS)),
    )
    return question[0].upper() + question[1:]


def declined(
    rng: random.Random, family: str, held_out: bool = False, answerable: tuple[str, ...] = ()
) -> list[Chain]:
    """One or two questions that are to be declined, in some of the conversations.

    `answerable` names families whose questions this very image might answer.
    """
    chains = []
    if rng.random() < 0.45:
        chains += [decline(rng, held_out) for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.25:
        near = {family, *_NEAR.get(family, ()), *answerable}
        other = rng.choice([f for f in _FOREIGN if f not in near])
        chains.append(foreign(other, ask_foreign(rng, other)))
    has_no_print = family in {"shapes", "parts"} and "print" not in answerable
    if has_no_print and rng.random() < 0.12:
        chains.append(foreign("print", ask_foreign(rng, "print")))
    return chains


def _order(rng: random.Random, chains: list[Chain]) -> tuple[Turn, ...]:
    """The turns in random order, each wording once, chains together, typed casually."""
    rng.shuffle(chains)
    turns: list[Turn] = []
    asked: set[str] = set()
    for chain in chains:
        if chain[0].question in asked:
            continue
        asked.add(chain[0].question)
        turns += (Turn(t.skill, casual(rng, t.question), t.answer) for t in chain)
    return tuple(turns)


def _system(rng: random.Random) -> str:
    return rng.choice(_SYSTEM_PROMPTS) if rng.random() < 0.15 else ""


def _canvas(rng: random.Random, look: Look, width: int, height: int) -> Canvas:
    """A canvas of the final size, or of another that the processor would resize to it."""
    chance = rng.random()
    if chance < 0.72:
        return Canvas(rng, width, height, look)
    if chance < 0.9:
        scale = rng.uniform(1.1, 1.6)
    else:
        smallest = min(1.0, _SMALLEST / min(width, height))
        scale = rng.uniform(1.6, 2.4) if chance < 0.97 else rng.uniform(max(0.55, smallest), 1.0)
    stretch = 1 + rng.uniform(-_ASPECT_SLACK, _ASPECT_SLACK)
    return Canvas(rng, round(width * scale * stretch), round(height * scale), look)


def _finish(rng: random.Random, image: Image.Image, width: int, height: int) -> Image.Image:
    """The image after the losses of the real world: JPEG now and then, and a resize."""
    if rng.random() < 0.12:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(30, 92))
        image = Image.open(buffer).convert("RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return image
