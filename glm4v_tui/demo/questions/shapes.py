"""Questions about family 1: coloured shapes."""

import json
import random
from collections.abc import Callable

from glm4v_tui.demo.questions.dialogue import (
    NUMBERS,
    Chain,
    Turn,
    alternatives,
    article,
    asked_at,
    at,
    listing,
    phrase,
    plural,
    times,
)
from glm4v_tui.demo.scenes.canvas import PLACES
from glm4v_tui.demo.scenes.colours import COLOURS
from glm4v_tui.demo.scenes.shapes import KINDS, Shape, ShapesFacts

_APART = 0.07
"""Centres closer than this share of the image are neither left nor right of each other."""
_CLEARLY = 1.5
"""Ratio of areas from which one shape is called larger."""


def ask_shapes(rng: random.Random, facts: ShapesFacts) -> list[Chain]:
    """Questions about one image, in random order, several of most kinds."""
    if not facts.shapes:
        return _ask_nothing(rng, facts)
    kinds = rng.choices(list(_ASKED), list(_ASKED.values()), k=19)
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
        (
            "Describe [the|this] [image|picture|photo|drawing].",
            "What [is|do you see] [in the image|in this picture|here]?",
            "What [can you see|can be seen|is there|is shown|is drawn]<here>?",
            "What does the <picture> show?",
            "[List|Name|Describe] [all|the|all the|all of the] shapes<here>.",
            "What shapes <visible><here>?",
            "Which shapes <visible><here>?",
            "Describe what you see.",
            "Tell me [about this image|what you see|what is in the <picture>].",
            "<can you tell> what is in the <picture>?",
            "What is this?",
            "[What's in the picture|What's here|What's this]?",
            "[Name|List] every shape with its [<color>|<color> and size|place|position|size].",
            "[Name|List] [all|the] shapes [and|with] their [<color>s|places|sizes].",
            "Give [the|every] shape, <color>, size and place.",
            "[Shapes?|Which shapes?|Shapes and <color>s?|All shapes, please.]",
            "What are the shapes and [their|the] <color>s?",
        ),
    )
    return (Turn("shapes describe", question, describe(facts)),)


def _json(rng: random.Random, facts: ShapesFacts) -> Chain:
    question = phrase(
        rng,
        (
            "[List|Describe|Return|Give|Report|Output] [the|all|all the] shapes <json>.",
            "Describe the <picture> <json>.",
            "[Answer|Reply] in JSON: what shapes are there?",
            "What shapes are there? [Reply|Answer|Respond] in JSON.",
            "[Shapes as JSON|Shapes as JSON, please|JSON of the shapes|JSON list of the shapes].",
            "Give me [a|the] JSON list of [the|all] shapes.",
        ),
    )
    rows = [
        {"shape": s.kind, "color": s.colour, "size": s.size, "place": s.place} for s in facts.shapes
    ]
    return (Turn("shapes json", question, json.dumps({"shapes": rows})),)


def _count_all(rng: random.Random, facts: ShapesFacts) -> Chain:
    count = len(facts.shapes)
    if rng.random() < 0.15:
        return (_count_asked(rng, "shape", count),)
    question = phrase(
        rng,
        (
            "How many [shapes|objects|figures|things] <visible><in all>?",
            "How many [shapes|objects|figures] are [in the image|in the picture|shown|drawn]?",
            "How many [shapes|objects] does the <picture> <show><in all>?",
            "How many [shapes|objects|things]<in all>?",
            "How many are there<in all>?",
            "Count [the|all] [shapes|objects|figures]<here>.",
            "<what is> the [total|] number of [shapes|objects]?",
            "[Number|Count|Total number] of shapes?",
            "<can you tell> how many shapes there are<in all>?",
        ),
    )
    verb = "is" if count == 1 else "are"
    return (Turn("shapes count", question, f"There {verb} {times(count, 'shape')}."),)


def _count_asked(rng: random.Random, noun: str, count: int) -> Turn:
    """Whether there are three of them."""
    asked = count if count > 1 and rng.random() < 0.5 else max(2, count + rng.choice((-1, 1, 2)))
    is_word = rng.random() < 0.7 and asked < len(NUMBERS)
    number = NUMBERS[asked] if is_word else str(asked)
    question = phrase(
        rng,
        (
            "Are there [exactly|] {number} {nouns}<here>?",
            "Do you see {number} {nouns}?",
            "Is it true that there are {number} {nouns}?",
            "{number} {nouns}, right?",
        ),
        number=number,
        nouns=plural(noun),
    )
    opening = "Yes" if asked == count else "No"
    answer = _counted(noun, count)
    return Turn("shapes count", question, f"{opening}, {answer[0].lower()}{answer[1:]}")


def _count_noun(rng: random.Random, noun: str, count: int) -> Turn:
    if rng.random() < 0.2:
        return _count_asked(rng, noun, count)
    question = phrase(
        rng,
        (
            "How many {nouns} <visible><here>?",
            "How many {nouns} are there<in all>?",
            "How many {nouns}<in all>?",
            "How many {nouns} does the <picture> <show>?",
            "How many of the shapes are {nouns}?",
            "Count [the|all|all the] {nouns}<here>.",
            "[Number of|The number of|Count of] {nouns}?",
            "<what is> the number of {nouns}?",
            "<can you tell> how many {nouns} there are?",
        ),
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
        rng,
        "[And {nouns}?|And how many {nouns}?|What about [the|] {nouns}?|How about {nouns}?]",
        nouns=plural(noun),
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
            rng,
            "[And the other [one|shape]?|[What|How] about the other [one|shape]?|The other?]",
        )
        return (Turn("shapes follow-up", question, fact(other, name)),)
    name = other.kind if by_kind else _reference(rng, facts, other)
    question = phrase(
        rng, "[And the {name}?|[And what|What|How] about the {name}?|The {name}?]", name=name
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
        (
            "Where is the {name}[ located| placed|||]<here>?",
            "Where's the {name}?",
            "Where [exactly|] is the {name}?",
            "Where [do|can] you see the {name}?",
            "In [which|what] [part|corner or part|area] of the <picture> is the {name}?",
            "<what is> the [position|place|location] of the {name}?",
            "[Position|Place|Location] of the {name}?",
            "<can you tell> where the {name} is?",
            "Find the {name}.",
            "Where can the {name} be [found|seen]?",
        ),
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
        (
            "How [big|large] is the {name}<here>?",
            "What size [is|has] the {name}?",
            "<what is> the size of the {name}?",
            "Is the {name} [small, medium or large|small or large|large or small|big or small]?",
            "[Size of the {name}|The size of the {name}]?",
            "<can you tell> how [big|large] the {name} is?",
            "Which size does the {name} have?",
        ),
        name=name,
    )
    return Turn("shapes size", question, _size(shape, name)), *_follow(
        rng, facts, shape, _size, by_kind=False
    )


def _ask_colour(rng: random.Random, facts: ShapesFacts) -> Chain:
    kind = rng.choice(facts.shapes).kind if rng.random() < 0.85 else rng.choice(KINDS)
    same = [s for s in facts.shapes if s.kind == kind]
    brief = len(same) == 1 and rng.random() < 0.15
    if len(same) == 1 and not brief and rng.random() < 0.2:
        options = alternatives(rng, same[0].colour, COLOURS)
        question = phrase(
            rng,
            "[Is the {kind} {options}|What color is the {kind}, {options}|{options}: the {kind}]?",
            kind=kind,
            options=options,
        )
        return (Turn("shapes color", question, _colour(same[0], kind)),)
    question = phrase(
        rng,
        "[What|Which] <color> [is the {kind}|does the {kind} have|has the {kind}]<here>?{brief}"
        if brief or rng.random() < 0.5
        else (
            "<what is> the <color> of the {kind}?",
            "<color> of the {kind}?",
            "What's the {kind}'s <color>?",
            "<can you tell> [the <color> of the {kind}|what <color> the {kind} is]?",
            "Name the <color> of the {kind}.",
            "The {kind}: what <color>?",
            "In [what|which] <color> is the {kind}[ drawn| painted|]?",
        ),
        kind=kind,
        brief=f" {rng.choice(('Answer with one word.', 'One word only.'))}" if brief else "",
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
        (
            "What shape is the {colour} [one|object|thing|figure]<here>?",
            "<what is> the {colour} [shape|object|thing|figure|one]<here>?",
            "Which shape is {colour}<here>?",
            "What [shape|object|thing|figure] is {colour}?",
            "What is {colour}<here>?",
            "Which [object|thing] [is|has the <color>] {colour}?",
            "<can you tell> [what|which] shape is {colour}?",
            "Name the {colour} shape.",
            "What {colour} [shape|object] [is there|do you see|can be seen]?",
        ),
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
    if not missing:
        return _count_all(rng, facts)
    noun = rng.choice(missing)
    if rng.random() < 0.4:
        noun = f"{rng.choice(COLOURS)} {noun}"
    question = phrase(
        rng,
        (
            "Where is the {noun}<here>?",
            "How [large|big] is the {noun}<here>?",
            "What <color> is the {noun}<here>?" if " " not in noun else "What size is the {noun}?",
            "Is the {noun} on the left<here>?",
            "<what is> the [size|position|place] of the {noun}?",
            "Give the box of the {noun}.",
            "Is the {noun} [small or large|on the left or on the right]?",
        ),
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
        (
            "<is there> {noun}<here>?",
            "Does the <picture> <show> {noun}?",
            "Is {noun} [visible|shown|in the image|in the picture|there|to be seen]?",
            "Can {noun} be seen<here>?",
            "Is there {noun} [somewhere|anywhere]?",
            "<can you tell> whether there is {noun}?",
            "{bare}?",
            "[Any|Is there any] {bare}<here>?",
        ),
        noun=article(noun),
        bare=noun,
    )
    if rng.random() < 0.2:
        question += " " + phrase(rng, "<yes or no>")
        return (Turn("shapes exists", question, "Yes" if found else "No"),)
    answer = f"Yes, there is {article(noun)}." if found else f"No, there is no {noun}."
    return (Turn("shapes exists", question, answer),)


_RELATIONS = (("to the left of", "to the right of"), ("above", "below"))
_RELATION_WORDS = {
    "to the left of": ("to the left of", "to the left of", "left of", "on the left of"),
    "to the right of": ("to the right of", "to the right of", "right of", "on the right of"),
    "above": ("above", "above", "over", "higher than"),
    "below": ("below", "below", "under", "underneath", "lower than"),
}


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
        question = phrase(
            rng,
            (
                "Is the {left} {options} {of} the {right}?",
                "Is the {left} [on the left or on the right of|to the left or to the right of] "
                "the {right}?"
                if axis == 0
                else "Is the {left} [over or under|higher or lower than] the {right}?",
                "{options}: where is the {left}, seen from the {right}?",
            ),
            left=left,
            right=right,
            options=options,
            of="of" if axis == 0 else "",
        )
        return (Turn("shapes relation", question, f"The {left} is {true} the {right}."),)
    asked = rng.choice(_RELATIONS[axis])
    question = phrase(
        rng,
        (
            "Is the {left} {asked} the {right}<here>?",
            "Is the {left} {asked} the {right}?",
            "Does the {left} lie {asked} the {right}?",
            "Is the {left} [placed|located] {asked} the {right}?",
        ),
        left=left,
        asked=rng.choice(_RELATION_WORDS[asked]),
        right=right,
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
        (
            "Which is {word}, the {left} or the {right}?",
            "Which [one|shape] is {word}: the {left} or the {right}?",
            "What is {word}, the {left} or the {right}?",
            "Is the {left} or the {right} {word}?",
            "Which of the two is {word}: the {left} or the {right}?",
            "{word}: the {left} or the {right}?",
            "<can you tell> which is {word}, the {left} or the {right}?",
        ),
        word=word,
        left=left,
        right=right,
    )
    return (Turn("shapes compare", question, f"The {name} is {word}."),)


_EXTREME = (
    "Which [shape|object|one] is [the|] {word}<here>?",
    "Which is the {word} [shape|object]<here>?",
    "<what is> the {word} [shape|object|thing|one]<here>?",
    "Name the {word} shape.",
    "[The|] {word} [shape|object]?",
    "<can you tell> which shape is the {word}?",
)
_MOST = "[Which [shape|object|one|] is|What is|What's|Which shape lies] "
_FAR = {
    "leftmost": (
        _MOST + "[the furthest|furthest|the farthest|farthest|most far] to the left<here>?",
        _MOST + "[on the far left|the most to the left|all the way to the left]?",
    ),
    "rightmost": (
        _MOST + "[the furthest|furthest|the farthest|farthest|most far] to the right<here>?",
        _MOST + "[on the far right|the most to the right|all the way to the right]?",
    ),
    "topmost": (
        _MOST + "[the highest|highest|highest up|furthest up|nearest to the top]<here>?",
        "[Name|What is|Which is] the [highest|uppermost|top] shape<here>[?|]",
    ),
    "bottommost": (
        _MOST + "[the lowest|lowest|furthest down|nearest to the bottom]<here>?",
        "[Name|What is|Which is] the [lowest|bottom] shape<here>[?|]",
    ),
}


def _ask_extreme(rng: random.Random, facts: ShapesFacts) -> Chain:
    """Largest, smallest, leftmost, rightmost, topmost or bottommost."""
    word, measure, margin = rng.choice(_EXTREMES)
    ranked = sorted(facts.shapes, key=measure)
    if len(ranked) < 2 or measure(ranked[1]) - measure(ranked[0]) < margin:
        return ()
    question = phrase(rng, _EXTREME if rng.random() < 0.5 else _FAR[word], word=word)
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
    question = phrase(rng, _EXTREME, word=word)
    return (Turn("shapes extreme", question, f"The {word} shape is the {_name(ranked[0])}."),)


def _ask_at(rng: random.Random, facts: ShapesFacts) -> Chain:
    place = rng.choice(facts.shapes).place if rng.random() < 0.7 else rng.choice(PLACES)
    there = [s for s in facts.shapes if s.place == place]
    question = phrase(
        rng,
        (
            "<what is> [located |drawn |]{at}<here>?",
            "What [do|can] you see {at}<here>?",
            "[What|Which] shape [is|can be seen|do you see] {at}<here>?",
            "What can be seen {at}?",
            "Is [there |]anything {at}?",
            "[Name|Describe] the shape {at}.",
            "<can you tell> what is {at}?",
            "What lies {at}?",
        ),
        at=asked_at(rng, place),
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
        (
            "Give [me |][the|a] [bounding box|box] [of|for|around] the {name}.",
            "Locate the {name} with a [bounding box|box].",
            "<what is> the [bounding box|box] of the {name}?",
            "[Box|Bounding box] of the {name}?",
            "[Draw|Put|Return] [a|the] [bounding box|box] [around|for] the {name}.",
            "<what is> the [bounding |]box around the {name}?",
        ),
        name=_reference(rng, facts, shape),
    )
    return (Turn("shapes box", question, json.dumps(shape.box)),)


def _ask_background(rng: random.Random, facts: ShapesFacts) -> Chain:
    if facts.background is None:
        return ()
    if rng.random() < 0.35:
        right = facts.background
        asked = right if rng.random() < 0.5 else rng.choice(COLOURS)
        question = phrase(
            rng,
            "[Is the [background|ground] {asked}|Is this on [a|] {asked} [background|ground]|"
            "Is the <color> of the background {asked}|{asked} background]?",
            asked=asked,
        )
        opening = "Yes" if asked == right else "No"
        return (Turn("shapes background", question, f"{opening}, the background is {right}."),)
    question = phrase(
        rng,
        (
            "[What|Which] <color> is the [background|background|ground]?",
            "<what is> the <color> of the [background|ground]?",
            "<what is> the background <color>?",
            "[Background <color>|<color> of the background|Background]?",
            "[What|Which] <color> does the background have?",
            "<can you tell> [the <color> of the background|what <color> the background is]?",
            "[What|Which] <color> is behind the shapes?",
            "On [what|which] <color> are the shapes drawn?",
            "Is the background {options}?",
        ),
        options=alternatives(rng, facts.background, COLOURS),
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


def _ask_two_facts(rng: random.Random, facts: ShapesFacts) -> Chain:
    """Two of colour, size and place at once."""
    unique = _unique(facts)
    kinds = [s.kind for s in facts.shapes]
    unique = [s for s in unique if kinds.count(s.kind) == 1]
    if not unique:
        return ()
    shape = rng.choice(unique)
    known = {"<color>": shape.colour, "size": shape.size, "[place|position]": at(shape.place)}
    first, second = rng.sample(list(known), 2)
    question = phrase(
        rng,
        (
            f"[{first}|<what is> the {first}|Give the {first}|Tell me the {first}] and "
            f"[the |]{second} of the {{name}}",
            f"{{name}}: {first} and {second}",
        ),
        name=shape.kind,
    )
    answer = f"The {shape.kind} is {known[first]} and {known[second]}."
    return (Turn("shapes two facts", f"{question[0].upper()}{question[1:]}?", answer),)


def _ask_single(rng: random.Random, facts: ShapesFacts) -> Chain:
    """Questions that make sense where there is only one shape."""
    if len(facts.shapes) != 1:
        return ()
    (shape,) = facts.shapes
    by = rng.random()
    if by < 0.35:
        kind = shape.kind if rng.random() < 0.6 else rng.choice(KINDS)
        colour = shape.colour if rng.random() < 0.6 else rng.choice(COLOURS)
        named, found = rng.choice(
            (
                (kind, kind == shape.kind),
                (f"{colour} {kind}", (kind, colour) == (shape.kind, shape.colour)),
                (f"{colour} shape", colour == shape.colour),
            )
        )
        question = phrase(
            rng,
            "[Is [this|it|that|the shape] {noun}|Does the <picture> show {noun} only|"
            "Is {noun} drawn|Is [this|it] really {noun}]?",
            noun=article(named),
        )
        answer = f"{'Yes' if found else 'No'}, it is {article(_name(shape))}."
        return (Turn("shapes single", question, answer),)
    if by < 0.65:
        question = phrase(
            rng, _SINGLE_KIND, options=alternatives(rng, article(shape.kind), map(article, KINDS))
        )
        return (Turn("shapes single", question, f"It is {article(_name(shape))}."),)
    if by < 0.85:
        options = alternatives(rng, shape.colour, COLOURS)
        question = phrase(
            rng,
            "[[What|Which] <color> is [it|this|the shape|the object]|<color>|Is it {options}|"
            "<what is> [the|its] <color>|<color> of the shape|{options}]?",
            options=options,
        )
        question = question[0].upper() + question[1:]
        return (Turn("shapes single", question, _colour(shape, "shape")),)
    if by < 0.93:
        question = phrase(
            rng, "[How [big|large] is [it|this|the shape]|Size|What size is it|Is it big or small]?"
        )
        return (Turn("shapes single", question, _size(shape, "shape")),)
    question = phrase(
        rng,
        "[Where is [it|the shape|the object]|Position|Is it [on the left or on the right|"
        "left or right|at the top or at the bottom]|Where]?",
    )
    return (Turn("shapes single", question, _where(shape, "shape")),)


_SINGLE_KIND = (
    "What shape is [drawn|shown|this|it|that]<here>?",
    "Which shape is [drawn|shown|this|it]<here>?",
    "What [kind|type|sort] of shape is [this|it|shown]?",
    "[Shape|Which shape|What shape|Shape and <color>]?",
    "<what is> the shape<here>?",
    "<what is> [the|its] shape and <color>?",
    "Name the shape.",
    "<can you tell> [which|what] shape this is?",
    "What shape [do|can] you see?",
    "Is it {options}?",
    "Is this {options}?",
    "{options}?",
)


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
    _ask_background: 2,
    _ask_two_facts: 2,
    _ask_single: 12,
}
"""Kinds of question and how often each is asked, relative to the others."""
