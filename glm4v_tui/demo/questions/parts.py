"""Questions about family 2: parts and their defects."""

import json
import random
from collections.abc import Callable

from glm4v_tui.demo.questions.dialogue import (
    Chain,
    Turn,
    alternatives,
    article,
    at,
    listing,
    phrase,
    shuffled,
    times,
)
from glm4v_tui.demo.scenes.parts import DEFECTS, PARTS, Defect, PartFacts

_PASSING_GRADE = 7

ANY = (
    "<is there> [a|any] defect<here>?",
    "Are there [any|visible|] [defects|flaws|faults|damages]<here>?",
    "[Does|Has] the <part> [show |have ][a defect|any defects|defects|any damage|a flaw]?",
    "Is [the|this] <part> [damaged|defective|faulty|broken|flawed]?",
    "Is [something|anything] wrong with [the|this] <part>?",
    "Do you see any [defect|damage|defects|flaw]<here>?",
    "Any [defects|defect|damage|flaws|visible defects|visible damage]<here>?",
    "Is [any|a|some] [defect|damage] visible<here>?",
    "[Can|Could] [any|a] defect be seen?",
    "<can you tell> [whether|if] [the <part> is damaged|there is a defect]?",
    "Check [the|this] <part> for [defects|damage].",
    "[Defect|Defects|Damaged|Damage|Defective|Anything wrong|Flaws|Defect or not]?",
)
CLASS = (
    "What [defect|kind of defect|type of defect|damage] [is there|is it|do you see|is this|"
    "does the <part> have|can be seen|is visible|has the <part>]?",
    "Which [defect|defects|damage] <visible><here>?",
    "[Which|What] [defect|damage] [can be seen|is visible|is shown|does it have]<here>?",
    "Name the [defect|defects|damage].",
    "What is wrong [with [the|this] <part>|here|with it]?",
    "<what is> the [defect|damage|problem|flaw|issue]<here>?",
    "[List|Name] [all|the] [defects|flaws].",
    "<can you tell> which defect [it is|there is|can be seen]?",
    "[Which defect|What defect|Kind of defect|Type of defect|Defect type]?",
    "What happened to the <part>?",
    "Classify the defect.",
)
COUNT = (
    "How many [defects|flaws] [are there|does the <part> have|do you see|are visible|can be seen|"
    "has the <part>]<in all>?",
    "Count the [defects|flaws].",
    "How many defects<in all>?",
    "[Number of defects|How many]?",
    "<what is> the number of defects?",
)
GRADE = (
    "[Grade|Rate] [the|this] <part> from 1 to 10.",
    "[What|Which] [grade|quality grade] does [the|this] <part> [get|deserve|have]?",
    "Rate the quality from 1 to 10.",
    "<what is> the [grade|quality grade|rating|quality]?",
    "[Grade|Quality grade|Grade, please|Quality]?",
    "How [good|bad] is [the|this] <part> from 1 to 10?",
    "On a scale from 1 to 10, how good is the <part>?",
    "Give [it|the <part>] a grade.",
    "How would you grade the <part>?",
)
SEVERITY = (
    "How [severe|serious|bad|grave] is the {name}<here>?",
    "<what is> the severity of the {name}?",
    "Is the {name} [minor, moderate or severe|minor or severe|severe or minor|serious or minor]?",
    "Severity of the {name}?",
    "<can you tell> how [bad|severe] the {name} is?",
)
PLACE = (
    "Where is the {name}[ located|||]<here>?",
    "Where's the {name}?",
    "Where [exactly|] [is|do you see] the {name}?",
    "In [which|what] [area|part|corner or area] [of the <part> |]is the {name}?",
    "<what is> the [place|position|location] of the {name}?",
    "[Position|Place|Location] of the {name}?",
    "<can you tell> where the {name} is?",
    "Where on the <part> is the {name}?",
    "Find the {name}.",
    "Where can the {name} be seen?",
)


def ask_part(rng: random.Random, facts: PartFacts) -> list[Chain]:
    """Questions about one part, in random order."""
    chains = [ask(rng, facts) for ask in shuffled(rng, _ASKED, 14)]
    return [c for c in chains if c]


def part_json(facts: PartFacts) -> str:
    """The inspection report as the defect task reads it."""
    rows = [
        {"type": d.kind, "place": d.place, "box": d.box, "severity": d.severity}
        for d in facts.defects
    ]
    return json.dumps({"product": facts.part, "defects": rows, "grade": facts.grade})


def _phrase(rng: random.Random, facts: PartFacts, template: str | tuple[str, ...]) -> str:
    return phrase(rng, template, part=facts.part)


def _kind(defect: Defect) -> str:
    return article(defect.kind)


def _kinds(facts: PartFacts) -> str:
    return listing(_kind(d) for d in facts.defects)


def _verdict(facts: PartFacts) -> str:
    if not facts.defects:
        return f"No, the {facts.part} has no visible defects."
    return f"Yes, there {'is' if len(facts.defects) == 1 else 'are'} {_kinds(facts)}."


def _ask_any(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(rng, facts, ANY)
    if rng.random() < 0.2:
        question = f"{question.rstrip('?.')}? {phrase(rng, '<yes or no>')}"
        return (Turn("defect present", question, "Yes" if facts.defects else "No"),)
    return Turn("defect present", question, _verdict(facts)), *_follow(rng, facts)


def _follow(rng: random.Random, facts: PartFacts) -> tuple[Turn, ...]:
    """`Where is it?` and `How severe is it?` after a question that named the only defect."""
    if len(facts.defects) != 1 or rng.random() < 0.4:
        return ()
    defect = facts.defects[0]
    where = Turn(
        "defect place",
        phrase(
            rng, "[Where is it?|Where?|And where is it?|Where exactly?|And where?|In which place?]"
        ),
        _where(defect),
    )
    severe = Turn(
        "defect severity",
        phrase(rng, "[How severe is it?|How bad is it?|And how [severe|bad]?|Severity?]"),
        _severe(defect),
    )
    return rng.choice(((where,), (severe,), (where, severe)))


def _where(defect: Defect) -> str:
    return f"The {defect.kind} is {at(defect.place)}."


def _severe(defect: Defect) -> str:
    return f"The {defect.kind} is {defect.severity}."


def _ask_class(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(rng, facts, CLASS)
    if not facts.defects:
        return (Turn("defect class", question, f"The {facts.part} has no visible defects."),)
    verb = "is" if len(facts.defects) == 1 else "are"
    return Turn("defect class", question, f"There {verb} {_kinds(facts)}."), *_follow(rng, facts)


def _ask_count(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(rng, facts, COUNT)
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


_HAS = {
    "scratch": ("Is [the <part>|it|this] scratched?", "Scratches?", "Any scratches<here>?"),
    "dent": ("Is [the <part>|it|this] dented?", "Dents?", "Any dents<here>?"),
    "crack": ("Is [the <part>|it|this] cracked?", "Cracks?", "Has the <part> cracked?"),
    "hole": ("Does [it|the <part>] have a hole in it?", "Holes?", "Is there a hole in [it|this]?"),
    "stain": ("Is [the <part>|it|this] [stained|dirty]?", "Stains?", "Any stains<here>?"),
    "missing piece": (
        "Is [a piece|something|anything|a part] missing[ from the <part>| here|]?",
        "[Anything|Something] missing?",
        "Is the <part> [complete or is something missing|missing a piece]?",
        "Is [a piece|something] broken off?",
        "Missing [piece|pieces|parts]?",
    ),
}


def _phrase_kind(rng: random.Random, facts: PartFacts, template: tuple[str, ...], kind: str) -> str:
    question = phrase(rng, template, part=facts.part, kind=kind, a_kind=article(kind))
    return question[0].upper() + question[1:]


def _ask_is(rng: random.Random, facts: PartFacts) -> Chain:
    present = [d.kind for d in facts.defects]
    kind = rng.choice(present) if present and rng.random() < 0.5 else rng.choice(DEFECTS)
    kind = "missing piece" if rng.random() < 0.12 else kind
    templates: tuple[str, ...] = (
        "<is there> {a_kind}<here>?",
        "Do you see {a_kind}?",
        "Does the <part> <show> {a_kind}?",
        "[Can|Could] you see {a_kind}<here>?",
        "Is {a_kind} visible<here>?",
        "Any {kind}<here>?",
        "{kind}?",
        "Is there {a_kind} [somewhere|anywhere|on the <part>|in the <part>]?",
        "<can you tell> [whether|if] there is {a_kind}?",
        "Is [it|that|the defect] {a_kind}?" if len(facts.defects) == 1 else "Any {kind}s?",
    )
    question = _phrase_kind(rng, facts, templates if rng.random() < 0.65 else _HAS[kind], kind)
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
    question = phrase(rng, PLACE, name=name, part=facts.part)
    return (Turn("defect place", question, _where(defect)),)


def _ask_absent(rng: random.Random, facts: PartFacts) -> Chain:
    """Where or how severe a defect is that the part does not have."""
    missing = [k for k in DEFECTS if all(d.kind != k for d in facts.defects)]
    kind = rng.choice((*missing, "defect")) if not facts.defects else rng.choice(missing)
    question = phrase(
        rng,
        "[Where is the {kind}<here>?|How [severe|bad] is the {kind}?|Where's the {kind}?|"
        "Give the [bounding |]box of the {kind}.|<what is> the severity of the {kind}?|"
        "[Position|Location] of the {kind}?]",
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
    question = phrase(rng, SEVERITY, name=name)
    return (Turn("defect severity", question, _severe(defect)),)


def _ask_box(rng: random.Random, facts: PartFacts) -> Chain:
    defect = _single(facts, rng)
    if defect is None:
        return ()
    question = phrase(
        rng,
        (
            "Give [me |][the|a] [bounding box|box] [of|for|around] the {name}.",
            "Locate the {name} with a [bounding box|box].",
            "<what is> the [bounding box|box] of the {name}?",
            "[Box|Bounding box] of the {name}?",
            "[Draw|Put|Return] [a|the] [bounding box|box] [around|for] the {name}.",
        ),
        name=_reference(rng, facts, defect),
    )
    return (Turn("defect box", question, json.dumps(defect.box)),)


def _ask_grade(rng: random.Random, facts: PartFacts) -> Chain:
    if rng.random() < 0.35:
        question = _phrase(
            rng,
            facts,
            (
                "[Does|Would] [the|this] <part> pass [inspection|the inspection|]?",
                "[Should|Can] [we|I] accept [the|this] <part>?",
                "[Pass or fail|Accept or reject|Pass|Does it pass]?",
                "Is [the|this] <part> acceptable?",
                "Is [it|this] acceptable?",
                "[Accept|Should we reject it|Acceptable|Good enough to pass]?",
            ),
        )
        word = "passes" if facts.grade >= _PASSING_GRADE else "fails"
        return (Turn("defect grade", question, f"The part {word} with grade {facts.grade}."),)
    question = _phrase(rng, facts, GRADE)
    return (Turn("defect grade", question, f"Grade {facts.grade} of 10."),)


def _ask_name(rng: random.Random, facts: PartFacts) -> Chain:
    question = phrase(
        rng,
        (
            "[What|Which] [part|product|object|kind of part|item|type of part] is [this|it|shown]?",
            "<what is> [this|it|that]?",
            "[Which|What] [part|object] [is shown|do you see|can be seen]<here>?",
            "Name the [part|object].",
            "[Part|Which part|What part|Part name|Type of part]?",
            "<can you tell> what [this|the part] is?",
            "<what is> the [name of the part|part called]?",
            "{options}?",
            "Is [this|it] {options}?",
        ),
        options=alternatives(rng, _named(facts), map(_a_part, PARTS)),
    )
    return (Turn("part name", question, f"This is {_named(facts)}."),)


def _named(facts: PartFacts) -> str:
    return _a_part(facts.part)


def _a_part(name: str) -> str:
    return "a piece of fabric" if name == "fabric" else article(name)


def _ask_identity(rng: random.Random, facts: PartFacts) -> Chain:
    """Whether it is a washer; `fabric or metal?`."""
    if rng.random() < 0.25:
        words = {"metal plate": "metal", "ceramic tile": "ceramic"}
        if facts.part in {"washer", "gear", "circuit board"}:
            words = {}
        options = alternatives(
            rng, words.get(facts.part, facts.part), [words.get(n, n) for n in PARTS]
        )
        question = phrase(rng, "[{options}|Is [it|this] {options}]?", options=options)
        question = question[0].upper() + question[1:]
        return (Turn("part name", question, f"This is {_named(facts)}."),)
    asked = facts.part if rng.random() < 0.5 else rng.choice(tuple(PARTS))
    question = phrase(
        rng,
        (
            "Is [this|it|that] {named}<here>?",
            "Is [this|the] [part|object] {named}?",
            "Does the <picture> show {named}?",
            "[Do|Can] you see {named}?",
            "Is [this|it] really {named}?",
            "<can you tell> [if|whether] this is {named}?",
        ),
        named=_a_part(asked),
    )
    opening = "Yes" if asked == facts.part else "No"
    return (Turn("part name", question, f"{opening}, this is {_named(facts)}."),)


def _ask_sound(rng: random.Random, facts: PartFacts) -> Chain:
    """Whether the part is free of defects: yes and no are the other way round."""
    question = _phrase(
        rng,
        facts,
        (
            "Is [the|this] <part> [ok|OK|okay|fine|intact|flawless|undamaged|all right]<here>?",
            "Is [it|this|everything] [ok|OK|okay|fine|intact|flawless|undamaged|all right]?",
            "[Is|Is the <part>|Is this <part>|Is it] in good [condition|shape|order]?",
            "[Ok|OK|Okay|In good condition|Intact|Undamaged|No defects|All good|Flawless]?",
            "Is [the|this] <part> [free of|without] [defects|damage|flaws]?",
            "Does [the|this] <part> look [good|fine|ok|undamaged]?",
            "<can you tell> [if|whether] the <part> is [ok|intact|fine]?",
        ),
    ).replace("Is in good", "In good")
    if rng.random() < 0.15:
        question = f"{question} {phrase(rng, '<yes or no>')}"
        return (Turn("defect present", question, "No" if facts.defects else "Yes"),)
    if not facts.defects:
        answer = f"Yes, the {facts.part} has no visible defects."
    else:
        answer = _verdict(facts).replace("Yes", "No", 1)
    return (Turn("defect present", question, answer),)


def _ask_two_facts(rng: random.Random, facts: PartFacts) -> Chain:
    """Class and place, or class and severity, of every defect."""
    of_place = rng.random() < 0.6
    other = "[place|position|location]" if of_place else "severity"
    question = _phrase(
        rng,
        facts,
        (
            f"[Class|Type|Kind] and {other} of the [defect|defects|damage]?",
            "What [defect|damage] is there and where[ is it|]?"
            if of_place
            else "[What|Which] defect is there and how [bad|severe] is it?",
            f"<what is> the [class|type] and [the|] {other} of the [defect|defects]?",
            f"[Name|Give|List|Tell me] the [defect|defects] [and|with] [its|the|their] {other}.",
            f"[Defect|Defects] and {other}?",
            f"Name every defect with its {other}.",
            "What is wrong and where?" if of_place else "What is wrong and how bad is it?",
        ),
    )
    if not facts.defects:
        return (Turn("defect two facts", question, f"The {facts.part} has no visible defects."),)
    verb = "is" if len(facts.defects) == 1 else "are"
    rows = listing(
        f"{_kind(d)} {at(d.place)}" if of_place else f"a {d.severity} {d.kind}"
        for d in facts.defects
    )
    return (Turn("defect two facts", question, f"There {verb} {rows}."),)


def _describe(rng: random.Random, facts: PartFacts) -> Chain:
    question = _phrase(
        rng,
        facts,
        (
            "Describe [the|this] [image|picture|photo|<part>].",
            "What [do|can] you see[ here|]?",
            "What does the <picture> show?",
            "Describe what you see.",
            "[Inspect|Examine|Check|Look at] the <part>.",
            "Inspect this <part> and report.",
            "<what is> in the <picture>?",
            "Tell me about this [image|picture|part].",
            "[Report on|Describe|Assess] the [condition|state] of the <part>.",
            "Describe the <part> and its [defects|condition].",
            "<can you tell> what you see?",
            "<what is> the condition of the <part>?",
        ),
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
        (
            "[Report|List|Return|Give] [the|all|all the] defects <json>.",
            "Inspect [the|this] <part>[ and|,] [answer|reply] in JSON.",
            "Inspect this image for defects. [Answer|Reply|Respond] [in|with|as] JSON.",
            "Give [me |]the inspection report <json>.",
            "List all defects with type, place, box and severity as JSON.",
            "[JSON report, please.|JSON report.|Report as JSON.|Inspection as JSON, please.]",
        ),
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
    _ask_identity: 2,
    _ask_sound: 3,
    _ask_two_facts: 2,
    _describe: 3,
    _ask_json: 3,
}
