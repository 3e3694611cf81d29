"""Questions about family 1: coloured shapes."""

import json
import random
from collections.abc import Callable

from glm4v_tui.demo.questions.dialogue import (
    Chain,
    Turn,
    article,
    at,
    listing,
    phrase,
    plural,
    times,
)
from glm4v_tui.demo.scenes.canvas import PLACES
from glm4v_tui.demo.scenes.colours import COLOURS
from glm4v_tui.demo.scenes.shapes import KINDS, Shape, ShapesFacts

_HERE = "[ in the image| in the picture| in this image| here|||]"
_APART = 0.07
"""Centres closer than this share of the image are neither left nor right of each other."""
_CLEARLY = 1.5
"""Ratio of areas from which one shape is called larger."""


def ask_shapes(rng: random.Random, facts: ShapesFacts) -> list[Chain]:
    """Questions about one image, in random order, several of most kinds."""
    if not facts.shapes:
        return _ask_nothing(rng, facts)
    kinds = rng.choices(list(_ASKED), list(_ASKED.values()), k=16)
    return [chain for ask in kinds if (chain := ask(rng, facts))]


def _name(shape: Shape) -> str:
    return f"{shape.colour} {shape.kind}"


def _unique(facts: ShapesFacts) -> list[Shape]:
    """Shapes that colour and kind together single out."""
    names = [_name(s) for s in facts.shapes]
    return [s for s in facts.shapes if names.count(_name(s)) == 1]


def _reference(rng: random.Random, facts: ShapesFacts, shape: Shape) -> str:
    """A way to name the shape that no other shape answers to."""
    names = [_name(shape)]
    if sum(s.kind == shape.kind for s in facts.shapes) == 1:
        names.append(shape.kind)
    if sum(s.colour == shape.colour for s in facts.shapes) == 1:
        names.append(f"{shape.colour} [shape|one|object]")
    return phrase(rng, rng.choice(names))


def _full(shape: Shape) -> str:
    return f"{article(f'{shape.size} {_name(shape)}')} {at(shape.place)}"


def describe(facts: ShapesFacts) -> str:
    """The answer that names every shape in reading order."""
    if not facts.shapes:
        return "There are no shapes in the image."
    verb = "is" if len(facts.shapes) == 1 else "are"
    return f"There {verb} {times(len(facts.shapes), 'shape')}: {listing(map(_full, facts.shapes))}."


def _describe(rng: random.Random, facts: ShapesFacts) -> Chain:
    question = phrase(
        rng,
        "[Describe [the|this] [image|picture].|What [is|do you see] [in the image|in this picture|"
        "here]?|"
        "What does the image show?|List all shapes.|What shapes are there"
        + _HERE
        + "?|Describe what you see.|"
        "Tell me about this image.|What is this?|What's in the picture?]",
    )
    return (Turn("shapes describe", question, describe(facts)),)


def _json(rng: random.Random, facts: ShapesFacts) -> Chain:
    question = phrase(
        rng,
        "[[List|Describe|Return|Give|Report] the shapes [as|in] JSON.|Describe the image [as|in] "
        "JSON.|"
        "Answer in JSON: what shapes are there?|List the shapes as JSON.|What shapes are there? "
        "Reply in JSON.]",
    )
    rows = [
        {"shape": s.kind, "color": s.colour, "size": s.size, "place": s.place} for s in facts.shapes
    ]
    return (Turn("shapes json", question, json.dumps({"shapes": rows})),)


def _count_all(rng: random.Random, facts: ShapesFacts) -> Chain:
    question = phrase(
        rng,
        "[How many [shapes|objects|figures] are [there|in the image|in the picture|shown|visible]?|"
        "How many [shapes|objects] do you see?|Count the [shapes|objects].|What is the number of "
        "shapes?]",
    )
    verb = "is" if len(facts.shapes) == 1 else "are"
    return (Turn("shapes count", question, f"There {verb} {times(len(facts.shapes), 'shape')}."),)


def _count_noun(rng: random.Random, noun: str, count: int) -> Turn:
    question = phrase(
        rng,
        "[How many {nouns} are there"
        + _HERE
        + "?|How many {nouns}?|Count the {nouns}.|How many {nouns} do you see?]",
        nouns=plural(noun),
    )
    return Turn("shapes count", question, _counted(noun, count))


def _counted(noun: str, count: int) -> str:
    if not count:
        return f"There are no {plural(noun)}."
    return f"There {'is' if count == 1 else 'are'} {times(count, noun)}."


def _countable(rng: random.Random, facts: ShapesFacts) -> tuple[str, int]:
    """A noun for some of the shapes, mostly one that occurs, and how many there are."""
    shape = rng.choice(facts.shapes)
    kind = shape.kind if rng.random() < 0.75 else rng.choice(KINDS)
    colour = shape.colour if rng.random() < 0.75 else rng.choice(COLOURS)
    by = rng.random()
    if by < 0.4:
        return kind, sum(s.kind == kind for s in facts.shapes)
    if by < 0.8:
        return f"{colour} shape", sum(s.colour == colour for s in facts.shapes)
    return f"{colour} {kind}", sum((s.colour, s.kind) == (colour, kind) for s in facts.shapes)


def _count_some(rng: random.Random, facts: ShapesFacts) -> Chain:
    first = _count_noun(rng, *_countable(rng, facts))
    if rng.random() < 0.7:
        return (first,)
    noun, count = _countable(rng, facts)
    follow = phrase(
        rng, "[And {nouns}?|And how many {nouns}?|What about {nouns}?]", nouns=plural(noun)
    )
    return first, Turn("shapes follow-up", follow, _counted(noun, count))


_Fact = Callable[[Shape, str], str]


def _where(shape: Shape, reference: str) -> str:
    return f"The {reference} is {at(shape.place)}."


def _colour(shape: Shape, reference: str) -> str:
    return f"The {reference} is {shape.colour}."


def _size(shape: Shape, reference: str) -> str:
    return f"The {reference} is {shape.size}."


def _follow(
    rng: random.Random, facts: ShapesFacts, asked: Shape, fact: _Fact, by_kind: bool
) -> tuple[Turn, ...]:
    """The same question about another shape, asked in a few words."""
    others = [s for s in _unique(facts) if s is not asked]
    if by_kind:
        others = [s for s in others if sum(t.kind == s.kind for t in facts.shapes) == 1]
    if not others or rng.random() < 0.55:
        return ()
    other = rng.choice(others)
    if len(facts.shapes) == 2 and rng.random() < 0.6:
        name = other.kind if by_kind else _name(other)
        question = phrase(
            rng, "[And the other one?|What about the other one?|And the other shape?]"
        )
        return (Turn("shapes follow-up", question, fact(other, name)),)
    name = other.kind if by_kind else _reference(rng, facts, other)
    question = phrase(
        rng, "[And the {name}?|What about the {name}?|And what about the {name}?]", name=name
    )
    return (Turn("shapes follow-up", question, fact(other, name)),)


def _ask_where(rng: random.Random, facts: ShapesFacts) -> Chain:
    unique = _unique(facts)
    if not unique:
        return ()
    shape = rng.choice(unique)
    name = _reference(rng, facts, shape)
    question = phrase(
        rng,
        "[Where is the {name}"
        + _HERE
        + "?|In which part of the image is the {name}?|Where do you see the {name}?|"
        "What is the position of the {name}?]",
        name=name,
    )
    return Turn("shapes where", question, _where(shape, name)), *_follow(
        rng, facts, shape, _where, by_kind=False
    )


def _ask_size(rng: random.Random, facts: ShapesFacts) -> Chain:
    unique = _unique(facts)
    if not unique:
        return ()
    shape = rng.choice(unique)
    name = _reference(rng, facts, shape)
    question = phrase(
        rng,
        "[How [big|large] is the {name}?|What size is the {name}?|Is the {name} small, medium or "
        "large?]",
        name=name,
    )
    return Turn("shapes size", question, _size(shape, name)), *_follow(
        rng, facts, shape, _size, by_kind=False
    )


def _ask_colour(rng: random.Random, facts: ShapesFacts) -> Chain:
    kind = rng.choice(facts.shapes).kind if rng.random() < 0.85 else rng.choice(KINDS)
    same = [s for s in facts.shapes if s.kind == kind]
    brief = len(same) == 1 and rng.random() < 0.15
    question = phrase(
        rng,
        "[What|Which] [color|colour] [is the {kind}|does the {kind} have]"
        + _HERE
        + "?"
        + "{brief}",
        kind=kind,
        brief=" Answer with one word." if brief else "",
    )
    if brief:
        return (Turn("shapes color", question, same[0].colour.capitalize()),)
    if not same:
        return (Turn("shapes absent", question, _absent(kind)),)
    if len(same) > 1:
        colours = listing(s.colour for s in same)
        return (Turn("shapes color", question, f"There are {times(len(same), kind)}: {colours}."),)
    return Turn("shapes color", question, _colour(same[0], kind)), *_follow(
        rng, facts, same[0], _colour, by_kind=True
    )


def _absent(noun: str) -> str:
    return f"There is no {noun} in the image."


def _ask_kind(rng: random.Random, facts: ShapesFacts) -> Chain:
    colour = rng.choice(facts.shapes).colour if rng.random() < 0.85 else rng.choice(COLOURS)
    same = [s for s in facts.shapes if s.colour == colour]
    question = phrase(
        rng,
        "[What shape is the {colour} [one|object|thing]|What is the {colour} [shape|object|thing]|"
        "Which shape is {colour}]" + _HERE + "?",
        colour=colour,
    )
    if not same:
        return (Turn("shapes absent", question, _absent(f"{colour} shape")),)
    if len(same) > 1:
        kinds = listing(article(s.kind) for s in same)
        return (
            Turn(
                "shapes kind",
                question,
                f"There are {times(len(same), f'{colour} shape')}: {kinds}.",
            ),
        )
    return (Turn("shapes kind", question, f"The {colour} shape is {article(same[0].kind)}."),)


def _ask_absent(rng: random.Random, facts: ShapesFacts) -> Chain:
    """Where, how large or what colour a shape is that the image does not hold."""
    missing = [k for k in KINDS if all(s.kind != k for s in facts.shapes)]
    noun = rng.choice(missing)
    if rng.random() < 0.4:
        noun = f"{rng.choice(COLOURS)} {noun}"
    question = phrase(
        rng,
        "[Where is the {noun}|How large is the {noun}|What color is the {noun}|Is the {noun} on "
        "the left]" + _HERE + "?",
        noun=noun,
    )
    return (Turn("shapes absent", question, _absent(noun)),)


def _ask_exists(rng: random.Random, facts: ShapesFacts) -> Chain:
    shape = rng.choice(facts.shapes)
    if rng.random() < 0.5:
        kind, colour = shape.kind, shape.colour
    elif rng.random() < 0.6:
        kind, colour = rng.choice(
            ((shape.kind, rng.choice(COLOURS)), (rng.choice(KINDS), shape.colour))
        )
    else:
        kind, colour = rng.choice(KINDS), rng.choice(COLOURS)
    by = rng.random()
    if by < 0.3:
        noun, found = kind, any(s.kind == kind for s in facts.shapes)
    elif by < 0.45:
        noun, found = f"{colour} shape", any(s.colour == colour for s in facts.shapes)
    else:
        noun, found = (
            f"{colour} {kind}",
            any((s.colour, s.kind) == (colour, kind) for s in facts.shapes),
        )
    question = phrase(
        rng,
        "[Is there|Do you see|Can you see|Does the [image|picture] [show|contain]] {noun}"
        + _HERE
        + "?",
        noun=article(noun),
    )
    if rng.random() < 0.2:
        question += rng.choice((" Answer yes or no.", " Yes or no?"))
        return (Turn("shapes exists", question, "Yes" if found else "No"),)
    answer = f"Yes, there is {article(noun)}." if found else f"No, there is no {noun}."
    return (Turn("shapes exists", question, answer),)


_RELATIONS = (("to the left of", "to the right of"), ("above", "below"))


def _ask_relation(rng: random.Random, facts: ShapesFacts) -> Chain:
    pair = _pair(rng, facts)
    if pair is None:
        return ()
    a, b = pair
    axis = rng.randrange(2)
    distance = (b.x - a.x) if axis == 0 else (b.y - a.y)
    if abs(distance) < _APART:
        return ()
    true = _RELATIONS[axis][0 if distance > 0 else 1]
    left, right = _reference(rng, facts, a), _reference(rng, facts, b)
    if rng.random() < 0.25:
        options = "left or right" if axis == 0 else "above or below"
        question = f"Is the {left} {options} {'of ' if axis == 0 else ''}the {right}?"
        return (Turn("shapes relation", question, f"The {left} is {true} the {right}."),)
    asked = rng.choice(_RELATIONS[axis])
    question = phrase(
        rng, "Is the {left} {asked} the {right}?", left=left, asked=asked, right=right
    )
    if rng.random() < 0.35:
        question = question.replace("to the left of", "left of").replace(
            "to the right of", "right of"
        )
    opening = "Yes" if asked == true else "No"
    return (Turn("shapes relation", question, f"{opening}, the {left} is {true} the {right}."),)


def _pair(rng: random.Random, facts: ShapesFacts) -> tuple[Shape, Shape] | None:
    unique = _unique(facts)
    if len(unique) < 2:
        return None
    a, b = rng.sample(unique, 2)
    return a, b


def _ask_larger(rng: random.Random, facts: ShapesFacts) -> Chain:
    pair = _pair(rng, facts)
    if pair is None or max(pair[0].area, pair[1].area) < _CLEARLY * min(pair[0].area, pair[1].area):
        return ()
    a, b = pair
    word = rng.choice(("larger", "bigger", "smaller"))
    winner = (
        min(pair, key=lambda s: s.area) if word == "smaller" else max(pair, key=lambda s: s.area)
    )
    left, right = _reference(rng, facts, a), _reference(rng, facts, b)
    name = left if winner is a else right
    if rng.random() < 0.35:
        question = f"Is the {left} {word} than the {right}?"
        opening = "Yes" if winner is a else "No"
        return (Turn("shapes compare", question, f"{opening}, the {name} is {word}."),)
    question = phrase(
        rng,
        "[Which is {word}, the {left} or the {right}?|Which one is {word}: the {left} or the "
        "{right}?|"
        "What is {word}, the {left} or the {right}?]",
        word=word,
        left=left,
        right=right,
    )
    return (Turn("shapes compare", question, f"The {name} is {word}."),)


def _ask_extreme(rng: random.Random, facts: ShapesFacts) -> Chain:
    """Largest, smallest, leftmost, rightmost, topmost or bottommost."""
    word, measure, margin = rng.choice(_EXTREMES)
    ranked = sorted(facts.shapes, key=measure)
    if len(ranked) < 2 or measure(ranked[1]) - measure(ranked[0]) < margin:
        return ()
    question = phrase(
        rng,
        "[Which shape is the {word}?|What is the {word} [shape|object]"
        + _HERE
        + "?|Which is the {word} shape?|"
        "Name the {word} shape.]",
        word=word,
    )
    return (Turn("shapes extreme", question, f"The {word} shape is the {_name(ranked[0])}."),)


_EXTREMES: tuple[tuple[str, Callable[[Shape], float], float], ...] = (
    ("leftmost", lambda s: s.x, _APART),
    ("rightmost", lambda s: -s.x, _APART),
    ("topmost", lambda s: s.y, _APART),
    ("bottommost", lambda s: -s.y, _APART),
)


def _ask_largest(rng: random.Random, facts: ShapesFacts) -> Chain:
    word = rng.choice(("largest", "biggest", "smallest"))
    ranked = sorted(facts.shapes, key=lambda s: s.area, reverse=word != "smallest")
    if len(ranked) < 2:
        return ()
    first, second = ranked[0].area, ranked[1].area
    if max(first, second) < _CLEARLY * min(first, second):
        return ()
    question = phrase(
        rng,
        "[Which shape is the {word}?|What is the {word} [shape|object]"
        + _HERE
        + "?|Which is the {word} shape?]",
        word=word,
    )
    return (Turn("shapes extreme", question, f"The {word} shape is the {_name(ranked[0])}."),)


def _ask_at(rng: random.Random, facts: ShapesFacts) -> Chain:
    place = rng.choice(facts.shapes).place if rng.random() < 0.7 else rng.choice(PLACES)
    there = [s for s in facts.shapes if s.place == place]
    question = phrase(
        rng, "[What is {at}|What do you see {at}|Which shape is {at}]" + _HERE + "?", at=at(place)
    )
    if not there:
        return (Turn("shapes at", question, f"There is nothing {at(place)}."),)
    names = listing(article(_name(s)) for s in there)
    verb = "is" if len(there) == 1 else "are"
    return (Turn("shapes at", question, f"{names[0].upper()}{names[1:]} {verb} {at(place)}."),)


def _ask_box(rng: random.Random, facts: ShapesFacts) -> Chain:
    unique = _unique(facts)
    if not unique:
        return ()
    shape = rng.choice(unique)
    question = phrase(
        rng,
        "[Give the [bounding box|box] of the {name}.|Locate the {name} with a [bounding box|box].|"
        "What is the bounding box of the {name}?]",
        name=_reference(rng, facts, shape),
    )
    return (Turn("shapes box", question, json.dumps(shape.box)),)


def _ask_background(rng: random.Random, facts: ShapesFacts) -> Chain:
    if facts.background is None:
        return ()
    question = phrase(
        rng, "[What [color|colour] is the background|What is the [color|colour] of the background]?"
    )
    return (Turn("shapes background", question, f"The background is {facts.background}."),)


def _ask_nothing(rng: random.Random, facts: ShapesFacts) -> list[Chain]:
    kind = rng.choice(KINDS)
    answers = [
        _describe(rng, facts)[0],
        Turn("shapes count", "How many shapes are there?", "There are 0 shapes."),
        _count_noun(rng, kind, 0),
        Turn("shapes absent", f"What color is the {kind}?", _absent(kind)),
        Turn("shapes absent", f"Where is the {kind}?", _absent(kind)),
    ]
    rng.shuffle(answers)
    return [(t,) for t in answers]


_ASKED: dict[Callable[[random.Random, ShapesFacts], Chain], int] = {
    _describe: 4,
    _json: 2,
    _count_all: 2,
    _count_some: 5,
    _ask_where: 5,
    _ask_size: 2,
    _ask_colour: 5,
    _ask_kind: 4,
    _ask_absent: 2,
    _ask_exists: 4,
    _ask_relation: 6,
    _ask_larger: 3,
    _ask_extreme: 2,
    _ask_largest: 2,
    _ask_at: 3,
    _ask_box: 2,
    _ask_background: 1,
}
"""Kinds of question and how often each is asked, relative to the others."""
