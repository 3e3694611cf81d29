"""Questions about two images of shapes, given together."""

import random

from glm4v_tui.demo.questions.dialogue import Chain, Turn, article, phrase, times
from glm4v_tui.demo.questions.shapes import describe
from glm4v_tui.demo.scenes.colours import COLOURS
from glm4v_tui.demo.scenes.shapes import KINDS, ShapesFacts


def ask_two(rng: random.Random, first: ShapesFacts, second: ShapesFacts) -> list[Chain]:
    """Questions about two images of shapes, given together."""
    both = (first, second)
    turns = [
        ask(rng, both)
        for ask in (_which_more, _in_both, _which_has, _one_of, _one_count, _which_has, _in_both)
    ]
    turns.append(_same_count(both))
    rng.shuffle(turns)
    return [(t,) for t in turns]


_ORDINALS = ("first", "second")


def _which_more(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    question = phrase(
        rng, "[Which image [has|shows|contains] more shapes|In which image are there more shapes]?"
    )
    counts = [len(f.shapes) for f in both]
    if counts[0] == counts[1]:
        return Turn("two images", question, f"Both images have {times(counts[0], 'shape')}.")
    more = counts.index(max(counts))
    return Turn(
        "two images",
        question,
        f"The {_ORDINALS[more]} image has more shapes: {max(counts)} against {min(counts)}.",
    )


def _same_count(both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    a, b = (len(f.shapes) for f in both)
    opening = f"Yes, both have {a}." if a == b else f"No, the first has {a} and the second has {b}."
    return Turn("two images", "Do both images have the same number of shapes?", opening)


def _noun(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> tuple[str, list[bool]]:
    """A kind, a colour or both, and in which of the images it occurs."""
    shapes = [s for f in both for s in f.shapes]
    shape = rng.choice(shapes) if shapes else None
    kind = shape.kind if shape and rng.random() < 0.8 else rng.choice(KINDS)
    colour = shape.colour if shape and rng.random() < 0.8 else rng.choice(COLOURS)
    by = rng.random()
    if by < 0.4:
        return kind, [any(s.kind == kind for s in f.shapes) for f in both]
    if by < 0.6:
        return f"{colour} shape", [any(s.colour == colour for s in f.shapes) for f in both]
    return f"{colour} {kind}", [
        any((s.colour, s.kind) == (colour, kind) for s in f.shapes) for f in both
    ]


def _occurs(noun: str, where: list[bool]) -> str:
    if all(where):
        return f"There is {article(noun)} in both images."
    if not any(where):
        return f"There is no {noun} in either image."
    return f"There is {article(noun)} only in the {_ORDINALS[where.index(True)]} image."


def _in_both(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    noun, where = _noun(rng, both)
    question = phrase(
        rng,
        "[Is there {noun} in both images|Do both images [show|contain] {noun}]?",
        noun=article(noun),
    )
    return Turn("two images", question, ("Yes. " if all(where) else "No. ") + _occurs(noun, where))


def _which_has(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    noun, where = _noun(rng, both)
    question = phrase(
        rng,
        "[Which image [has|shows|contains]|In which image is there|Which of the images shows] "
        "{noun}?",
        noun=article(noun),
    )
    return Turn("two images", question, _occurs(noun, where))


def _one_of(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    which = rng.randrange(2)
    question = phrase(
        rng,
        "[Describe the {nth} image.|What is in the {nth} image?|What does the {nth} image show?]",
        nth=_ORDINALS[which],
    )
    return Turn("two images", question, describe(both[which]))


def _one_count(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    which = rng.randrange(2)
    count = len(both[which].shapes)
    question = phrase(
        rng,
        "[How many shapes are in the {nth} image?|How many shapes does the {nth} image have?]",
        nth=_ORDINALS[which],
    )
    return Turn(
        "two images", question, f"The {_ORDINALS[which]} image has {times(count, 'shape')}."
    )
