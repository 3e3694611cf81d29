"""Questions about family 5: sheets of print."""

import random

from glm4v_tui.demo.questions.dialogue import Chain, Turn, phrase
from glm4v_tui.demo.scenes.sheets import SheetFacts

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


def ask_sheet(rng: random.Random, facts: SheetFacts) -> list[Chain]:
    """The whole text, and single lines, in random order."""
    chains: list[Chain] = [(_text(rng, facts),), (_count(rng, facts),), (_describe(rng, facts),)]
    chains += [(_line(rng, facts, i),) for i in range(len(facts.lines))]
    rng.shuffle(chains)
    return chains


def _text(rng: random.Random, facts: SheetFacts) -> Turn:
    question = phrase(
        rng,
        "[Read [all|] the text.|What text is [in the image|visible]?|Transcribe the text.|"
        "What does it say?|Read everything.|OCR]",
    )
    return Turn("print text", question, "\n".join(facts.lines))


def _line(rng: random.Random, facts: SheetFacts, number: int) -> Turn:
    is_last = number == len(facts.lines) - 1 and rng.random() < 0.6
    which = "last" if is_last else _ORDINALS[number]
    question = phrase(
        rng, "[Read the {which} line.|What is in the {which} line?|The {which} line?]", which=which
    )
    return Turn("print line", question, facts.lines[number])


def _count(rng: random.Random, facts: SheetFacts) -> Turn:
    question = phrase(rng, "[How many lines [are there|of text are there]?|Count the lines.]")
    count = len(facts.lines)
    answer = "There is 1 line." if count == 1 else f"There are {count} lines."
    return Turn("print count", question, answer)


def _describe(rng: random.Random, facts: SheetFacts) -> Turn:
    question = phrase(
        rng,
        "[Describe [the|this] [image|picture].|What do you see[ here|]?|What is this?|"
        "What does the image show?]",
    )
    lines = "1 line" if len(facts.lines) == 1 else f"{len(facts.lines)} lines"
    return Turn("print describe", question, f"This is a sheet with {lines} of print.")
