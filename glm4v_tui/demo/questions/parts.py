"""Questions about family 2: parts and their defects."""

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
    shuffled,
    times,
)
from glm4v_tui.demo.scenes.parts import DEFECTS, Defect, PartFacts

_PART = "[part|object|item|product|piece|surface|{part}]"
_PASSING_GRADE = 7


def ask_part(rng: random.Random, facts: PartFacts) -> list[Chain]:
    """Questions about one part, in random order."""
    chains = [ask(rng, facts) for ask in shuffled(rng, _ASKED, 13)]
    return [c for c in chains if c]


def part_json(facts: PartFacts) -> str:
    """The inspection report as the defect task reads it."""
    rows = [
        {"type": d.kind, "place": d.place, "box": d.box, "severity": d.severity}
        for d in facts.defects
    ]
    return json.dumps({"product": facts.part, "defects": rows, "grade": facts.grade})


def _phrase(rng: random.Random, facts: PartFacts, template: str) -> str:
    return phrase(rng, template.replace("PART", _PART), part=facts.part)


def _kind(defect: Defect) -> str:
    return article(defect.kind)


def _kinds(facts: PartFacts) -> str:
    return listing(_kind(d) for d in facts.defects)


def _verdict(facts: PartFacts) -> str:
    if not facts.defects:
        return f"No, the {facts.part} has no visible defects."
    return f"Yes, there {'is' if len(facts.defects) == 1 else 'are'} {_kinds(facts)}."


def _ask_any(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(
        rng,
        facts,
        "[Is there [a|any] defect?|Are there [any|visible|] defects?|Does the PART have [a defect|"
        "any defects|defects]?|"
        "Is the PART damaged?|Is [something|anything] wrong with the PART?|Do you see any [defect|"
        "damage|defects]?|"
        "Any defects?]",
    )
    if rng.random() < 0.2:
        question += " Answer yes or no."
        return (Turn("defect present", question, "Yes" if facts.defects else "No"),)
    return Turn("defect present", question, _verdict(facts)), *_follow(rng, facts)


def _follow(rng: random.Random, facts: PartFacts) -> tuple[Turn, ...]:
    """`Where is it?` and `How severe is it?` after a question that named the only defect."""
    if len(facts.defects) != 1 or rng.random() < 0.4:
        return ()
    defect = facts.defects[0]
    where = Turn(
        "defect place",
        phrase(rng, "[Where is it?|Where?|And where is it?|Where exactly?]"),
        _where(defect),
    )
    severe = Turn(
        "defect severity",
        phrase(rng, "[How severe is it?|How bad is it?|And how severe?]"),
        _severe(defect),
    )
    return rng.choice(((where,), (severe,), (where, severe)))


def _where(defect: Defect) -> str:
    return f"The {defect.kind} is {at(defect.place)}."


def _severe(defect: Defect) -> str:
    return f"The {defect.kind} is {defect.severity}."


def _ask_class(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(
        rng,
        facts,
        "[What [defect|kind of defect|type of defect|damage] [is there|is it|do you see|is this|"
        "does the PART have]?|"
        "Which [defect|defects] [do you see|are there|are visible]?|Name the [defect|defects].|"
        "What is wrong with the PART?|What is the [defect|damage]?]",
    )
    if not facts.defects:
        return (Turn("defect class", question, f"The {facts.part} has no visible defects."),)
    verb = "is" if len(facts.defects) == 1 else "are"
    return Turn("defect class", question, f"There {verb} {_kinds(facts)}."), *_follow(rng, facts)


def _ask_count(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(
        rng,
        facts,
        "[How many defects [are there|does the PART have|do you see|are visible]?|Count the "
        "defects.]",
    )
    count = len(facts.defects)
    if not count:
        return (Turn("defect count", question, "There are no defects."),)
    return (
        Turn(
            "defect count",
            question,
            f"There {'is' if count == 1 else 'are'} {times(count, 'defect')}.",
        ),
    )


def _ask_is(rng: random.Random, facts: PartFacts) -> Chain:
    present = [d.kind for d in facts.defects]
    kind = rng.choice(present) if present and rng.random() < 0.5 else rng.choice(DEFECTS)
    question = _phrase(
        rng, facts, "[Is there|Do you see|Does the PART have|Can you see] " + article(kind) + "?"
    )
    answer = f"Yes, there is {article(kind)}." if kind in present else f"No, there is no {kind}."
    return (Turn("defect exists", question, answer),)


def _single(facts: PartFacts, rng: random.Random) -> Defect | None:
    """A defect whose class occurs once, so that its name singles it out."""
    kinds = [d.kind for d in facts.defects]
    once = [d for d in facts.defects if kinds.count(d.kind) == 1]
    return rng.choice(once) if once else None


def _reference(rng: random.Random, facts: PartFacts, defect: Defect) -> str:
    return rng.choice((defect.kind, "defect")) if len(facts.defects) == 1 else defect.kind


def _ask_where(rng: random.Random, facts: PartFacts) -> Chain:
    defect = _single(facts, rng)
    if defect is None:
        return _ask_absent(rng, facts)
    name = _reference(rng, facts, defect)
    question = phrase(
        rng,
        "[Where is the {name}[ located|]?|In which area is the {name}?|What is the place of the "
        "{name}?]",
        name=name,
    )
    return (Turn("defect place", question, _where(defect)),)


def _ask_absent(rng: random.Random, facts: PartFacts) -> Chain:
    """Where or how severe a defect is that the part does not have."""
    missing = [k for k in DEFECTS if all(d.kind != k for d in facts.defects)]
    kind = rng.choice((*missing, "defect")) if not facts.defects else rng.choice(missing)
    question = phrase(
        rng,
        "[Where is the {kind}?|How severe is the {kind}?|Give the box of the {kind}.]",
        kind=kind,
    )
    answer = (
        f"The {facts.part} has no visible defects."
        if kind == "defect"
        else f"There is no {kind} in the image."
    )
    return (Turn("defect absent", question, answer),)


def _ask_severity(rng: random.Random, facts: PartFacts) -> Chain:
    defect = _single(facts, rng)
    if defect is None:
        return ()
    name = _reference(rng, facts, defect)
    question = phrase(
        rng,
        "[How [severe|serious|bad] is the {name}?|What is the severity of the {name}?]",
        name=name,
    )
    return (Turn("defect severity", question, _severe(defect)),)


def _ask_box(rng: random.Random, facts: PartFacts) -> Chain:
    defect = _single(facts, rng)
    if defect is None:
        return ()
    question = phrase(
        rng,
        "[Give the [bounding box|box] of the {name}.|Locate the {name} with a [bounding box|box].|"
        "What is the bounding box of the {name}?]",
        name=_reference(rng, facts, defect),
    )
    return (Turn("defect box", question, json.dumps(defect.box)),)


def _ask_grade(rng: random.Random, facts: PartFacts) -> Chain:
    if rng.random() < 0.35:
        question = _phrase(
            rng,
            facts,
            "[Does the PART pass [inspection|]?|Should [we|I] accept the PART?|Pass or fail?]",
        )
        word = "passes" if facts.grade >= _PASSING_GRADE else "fails"
        return (Turn("defect grade", question, f"The part {word} with grade {facts.grade}."),)
    question = _phrase(
        rng,
        facts,
        "[Grade the PART from 1 to 10.|What [grade|quality grade] does the PART get?|"
        "Rate the quality from 1 to 10.|What is the grade?]",
    )
    return (Turn("defect grade", question, f"Grade {facts.grade} of 10."),)


def _ask_name(rng: random.Random, facts: PartFacts) -> Chain:
    question = phrase(
        rng,
        "[What [part|product|object|kind of part] is [this|it|shown]?|What is this?|Which part is "
        "shown?]",
    )
    return (Turn("part name", question, f"This is {_named(facts)}."),)


def _named(facts: PartFacts) -> str:
    return "a piece of fabric" if facts.part == "fabric" else article(facts.part)


def _describe(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(
        rng,
        facts,
        "[Describe [the|this] [image|picture|PART].|What do you see[ here|]?|What does the image "
        "show?|"
        "Describe what you see.|Inspect the PART.|Inspect this PART and report.|What is in the "
        "picture?|Tell me about this image.]",
    )
    if not facts.defects:
        return (
            Turn("part describe", question, f"This is {_named(facts)} without visible defects."),
        )
    rows = listing(f"a {d.severity} {d.kind} {at(d.place)}" for d in facts.defects)
    return (Turn("part describe", question, f"This is {_named(facts)} with {rows}."),)


def _ask_json(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(
        rng,
        facts,
        "[[Report|List|Return|Give] the defects [as|in] JSON.|Inspect the PART[ and|,] [answer|"
        "reply] in JSON.|"
        "Inspect this image for defects. [Answer|Reply|Respond] [in|with|as] JSON.|Give the "
        "inspection report as JSON.|"
        "List all defects with type, place, box and severity as JSON.|JSON report, please.]",
    )
    return (Turn("part json", question, part_json(facts)),)


_ASKED: dict[Callable[[random.Random, PartFacts], Chain], int] = {
    _ask_any: 4,
    _ask_class: 4,
    _ask_count: 2,
    _ask_is: 4,
    _ask_where: 4,
    _ask_absent: 2,
    _ask_severity: 2,
    _ask_box: 3,
    _ask_grade: 2,
    _ask_name: 2,
    _describe: 3,
    _ask_json: 3,
}
