"""Questions about two images of shapes, given together."""

import random

from glm4v_tui.demo.questions.dialogue import Chain, Turn, article, listing, phrase, plural, times
from glm4v_tui.demo.questions.shapes import describe
from glm4v_tui.demo.scenes.colours import COLOURS
from glm4v_tui.demo.scenes.shapes import KINDS, ShapesFacts


def ask_two(rng: random.Random, first: ShapesFacts, second: ShapesFacts) -> list[Chain]:
    """Questions about two images of shapes, given together."""
    both = (first, second)
    asks = (_which_more, _in_both, _which_has, _one_of, _one_count, _shared, _same_count)
    turns = [ask(rng, both) for ask in (*asks, _which_has, _in_both, _which_more)]
    rng.shuffle(turns)
    return [(t,) for t in turns]


_ORDINALS = ("first", "second")
_NTH = (("first", "first", "1st"), ("second", "second", "2nd"))


def _which_more(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    """Which image has more or fewer shapes, or shapes of one kind."""
    noun, counts = "shape", [len(f.shapes) for f in both]
    if rng.random() < 0.3:
        noun = rng.choice(KINDS)
        counts = [sum(s.kind == noun for s in f.shapes) for f in both]
    word = rng.choice(("more", "more", "fewer"))
    question = phrase(
        rng,
        (
            "Which [image|picture|one|of the two] [has|shows|contains] {word} {nouns}?",
            "In which [image|picture] are there {word} {nouns}?",
            "Where are there {word} {nouns}?",
            "Which [image|picture] has {word} {nouns}, the first or the second?",
            "<can you tell> which image has {word} {nouns}?",
            "Are there {word} {nouns} in the first or in the second image?",
            "Does the first or the second image have {word} {nouns}?",
        ),
        word=word,
        nouns=plural(noun),
    )
    if counts[0] == counts[1]:
        return Turn("two images", question, f"Both images have {times(counts[0], noun)}.")
    found = sorted(counts, reverse=word == "more")
    return Turn(
        "two images",
        question,
        f"The {_ORDINALS[counts.index(found[0])]} image has {word} {plural(noun)}: "
        f"{found[0]} against {found[1]}.",
    )


def _same_count(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    a, b = (len(f.shapes) for f in both)
    opening = f"Yes, both have {a}." if a == b else f"No, the first has {a} and the second has {b}."
    question = phrase(
        rng,
        (
            "Do [both|the|the two] [images|pictures] <show> the same number of shapes?",
            "Do both [images|pictures] have equally many shapes?",
            "Are there as many shapes in the first image as in the second?",
            "Is the number of shapes the same[ in both images|]?",
            "The same number of shapes?",
            "Are there equally many shapes in both?",
            "Same number of shapes in both?",
        ),
    )
    return Turn("two images", question, opening)


def _shared(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    """Which kinds of shapes both images hold, whatever their colours."""
    question = phrase(
        rng,
        (
            "Which [shape|shapes] [is|are|appear|appears|can be seen] in both[ images| pictures|]?",
            "What [shape|shapes] [is|are] in both images?",
            "Which shapes do both images [share|have|show|have in common]?",
            "What do both images have in common?",
            "Which shape occurs in both [images|pictures]?",
            "Shapes in both images?",
            "Which shapes do the images have in common?",
        ),
    )
    shared = [k for k in KINDS if all(any(s.kind == k for s in f.shapes) for f in both)]
    if not shared:
        return Turn("two images", question, "No shape is in both images.")
    return Turn("two images", question, f"Both images show {listing(map(article, shared))}.")


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
        (
            "<is there> {noun} in both[ images| pictures|]?",
            "Do [both|the two] [images|pictures] <show> {noun}?",
            "Does {noun} [appear|occur] in both images?",
            "Is {noun} in both images?",
            "Do both have {noun}?",
        ),
        noun=article(noun),
    )
    return Turn("two images", question, ("Yes. " if all(where) else "No. ") + _occurs(noun, where))


def _which_has(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    noun, where = _noun(rng, both)
    question = phrase(
        rng,
        (
            "Which [image|picture|one] [has|shows|contains] {noun}?",
            "In which [image|picture] is [there|] {noun}?",
            "Which of the [images|pictures|two] [shows|has] {noun}?",
            "Where is there {noun}?",
            "In which [image|picture] [do|can] you see {noun}?",
            "Is {noun} in the first or in the second image?",
            "<can you tell> which image has {noun}?",
        ),
        noun=article(noun),
    )
    return Turn("two images", question, _occurs(noun, where))


def _one_of(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    which = rng.randrange(2)
    question = phrase(
        rng,
        (
            "Describe the {nth} [image|picture|one].",
            "<what is> in the {nth} [image|picture|one]?",
            "What does the {nth} [image|picture] show?",
            "What [do|can] you see in the {nth} [image|picture]?",
            "[List|Name] the shapes in the {nth} image.",
            "Which shapes are in the {nth} [image|picture]?",
            "{nth} image?",
            "Tell me about the {nth} image.",
            "Describe image {number}.",
            "<what is> in [image|picture] {number}?",
        ),
        nth=rng.choice(_NTH[which]),
        number=str(which + 1),
    )
    return Turn("two images", question, describe(both[which]))


def _one_count(rng: random.Random, both: tuple[ShapesFacts, ShapesFacts]) -> Turn:
    which = rng.randrange(2)
    count = len(both[which].shapes)
    question = phrase(
        rng,
        (
            "How many shapes are [there |]in the {nth} [image|picture|one]<in all>?",
            "How many shapes does the {nth} [image|picture|one] <show>?",
            "How many shapes [do|can] you see in the {nth} image?",
            "Count the shapes in the {nth} [image|picture].",
            "Number of shapes in the {nth} image?",
            "How many shapes are in [image|picture] {number}?",
            "How many shapes in the {nth}?",
        ),
        nth=rng.choice(_NTH[which]),
        number=str(which + 1),
    )
    return Turn(
        "two images", question, f"The {_ORDINALS[which]} image has {times(count, 'shape')}."
    )
