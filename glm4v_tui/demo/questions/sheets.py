"""Questions about family 5: sheets of print."""

import random

from glm4v_tui.demo.questions.dialogue import Chain, Turn, phrase
from glm4v_tui.demo.scenes.sheets import SheetFacts

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
TEXT = (
    "Read [all|] the text<here>.",
    "Read [it|this|the <picture>|the page|the sheet|out the text|the print|the words].",
    "Read everything.",
    "What text is [in the image|visible|there|shown|written|printed<here>]?",
    "<what is> [written|printed|the text]<here>?",
    "Transcribe [the text|this|everything|the <picture>].",
    "What does [it|this|the text|the <picture>] say?",
    "What can [you|I] read<here>?",
    "Which words are [written|printed|there]<here>?",
    "Can you read [this|it|the text]?",
    "<can you tell> what [is written|it says|is printed]<here>?",
    "Copy the text.",
    "Type [out|] the text.",
    "Extract [all|the] text.",
    "[Text|OCR|OCR, please|Do OCR|Full text|The text?|Text?]",
)
"""Wordings that ask for all of the print; also asked about images without any."""
ANY_TEXT = (
    "<is there> [any|some|] [text|print|writing]<here>?",
    "Are there [any|] words<here>?",
    "Any text?",
    "Is [anything|something] [written|printed]<here>?",
)


def ask_sheet(rng: random.Random, facts: SheetFacts) -> list[Chain]:
    """The whole text, and single lines, in random order."""
    chains: list[Chain] = [(_text(rng, facts),), (_count(rng, facts),), (_describe(rng, facts),)]
    chains += [(_line(rng, facts, i),) for i in range(len(facts.lines))]
    if rng.random() < 0.35:
        chains.append((_beyond(rng, facts),))
    if rng.random() < 0.2:
        chains.append((Turn("print count", phrase(rng, ANY_TEXT), f"Yes. {_counted(facts)}"),))
    rng.shuffle(chains)
    return chains


def _text(rng: random.Random, facts: SheetFacts) -> Turn:
    return Turn("print text", phrase(rng, TEXT), "\n".join(facts.lines))


def _line(rng: random.Random, facts: SheetFacts, number: int) -> Turn:
    chance = rng.random()
    if number == len(facts.lines) - 1 and chance < 0.55:
        return Turn(
            "print line", _nth(rng, rng.choice(("last", "last", "bottom"))), facts.lines[-1]
        )
    if number == 0 and chance < 0.2:
        return Turn("print line", _nth(rng, "top"), facts.lines[0])
    question = _numbered(rng, number) if rng.random() < 0.45 else _nth(rng, _ordinal(rng, number))
    return Turn("print line", question, facts.lines[number])


def _ordinal(rng: random.Random, number: int) -> str:
    if number < len(_ORDINALS) and rng.random() < 0.8:
        return _ORDINALS[number]
    return f"{number + 1}{('st', 'nd', 'rd')[number] if number < 3 else 'th'}"


def _nth(rng: random.Random, which: str) -> str:
    return phrase(
        rng,
        (
            "Read [only|just|] the {which} line.",
            "What is [in|on] the {which} line?",
            "What does the {which} line say?",
            "<what is> [written|printed] [in|on] the {which} line?",
            "[The|] {which} line?",
            "{which} line[, please|] only",
            "[Give|Tell|Show] me the {which} line.",
            "<what is> the {which} line?",
            "<can you tell> what the {which} line says?",
        ),
        which=which,
    )


def _numbered(rng: random.Random, number: int) -> str:
    return phrase(
        rng,
        (
            "[Line|line] [number |no. |]{n}?",
            "Line {n}",
            "What does line {n} say?",
            "<what is> [written|printed|] [in|on] line [number |]{n}?",
            "Read [only|just|] line [number |]{n}.",
            "[Give|Tell|Show] me line {n}.",
            "<what is> line {n}?",
            "<can you tell> what line {n} says?",
            "What text is [in|on] line {n}?",
        ),
        n=str(number + 1),
    )


def _beyond(rng: random.Random, facts: SheetFacts) -> Turn:
    """A line below the last one."""
    count = len(facts.lines)
    number = count + rng.choice((0, 0, 0, 1, 2))
    is_ordinal = rng.random() < 0.4
    question = _nth(rng, _ordinal(rng, number)) if is_ordinal else _numbered(rng, number)
    answer = "There is only 1 line." if count == 1 else f"There are only {count} lines."
    return Turn("print absent", question, answer)


def _counted(facts: SheetFacts) -> str:
    count = len(facts.lines)
    return "There is 1 line." if count == 1 else f"There are {count} lines."


def _count(rng: random.Random, facts: SheetFacts) -> Turn:
    question = phrase(
        rng,
        (
            "How many lines [are there|of text are there|do you see|of text|are printed|can be "
            "seen]<in all>?",
            "How many lines<in all>?",
            "Count the lines[ of text|].",
            "<what is> the number of lines?",
            "Number of lines?",
            "How many lines does [it|the text|the <picture>|the sheet] have?",
        ),
    )
    return Turn("print count", question, _counted(facts))


def _describe(rng: random.Random, facts: SheetFacts) -> Turn:
    question = phrase(
        rng,
        (
            "Describe [the|this] [image|picture|photo].",
            "What do you see[ here|]?",
            "What is this?",
            "What's this?",
            "What does the <picture> show?",
            "Describe what you see.",
            "Tell me about this <picture>.",
            "What kind of <picture> is this?",
            "Describe it.",
        ),
    )
    lines = "1 line" if len(facts.lines) == 1 else f"{len(facts.lines)} lines"
    return Turn("print describe", question, f"This is a sheet with {lines} of print.")
