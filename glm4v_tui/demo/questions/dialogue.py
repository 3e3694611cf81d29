"""What a question is, and the small grammar that words it in many ways."""

import random
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Ask = TypeVar("Ask", bound=Hashable)

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SHARED = re.compile(r"<([a-z ]+)>")
_ARTICLE = re.compile(r"\b(?:the|an?) ", re.IGNORECASE)
_ENDS = re.compile(r"[?.:]")
_OPENINGS = (
    "Please tell me: ", "Hi, ", "Hello! ", "OK, ", "Quick question: ", "Please: ", "Please ",
    "Hey, ", "So, ", "Tell me, ", "And ", "I want to know: ", "One more thing: ",
)  # fmt: skip

SYNONYMS = {
    "color": "[color|color|colour]",
    "center": "[center|centre|middle]",
    "here": "[ in the image| in the picture| in this image| in this picture| here|||||]",
    "picture": "[image|picture|photo]",
    "what is": "[What is|What is|What's]",
    "can you tell": "[Can|Could] you [please |]tell me",
    "is there": "[Is there|Is there|Do you see|Can you see|Can you find]",
    "visible": "[are there|are there|do you see|can you see|are visible|are shown|can be seen]",
    "in all": "[ altogether| in total| in all||||]",
    "show": "[show|contain|have]",
    "json": "[as|in] JSON",
    "yes or no": "[Answer yes or no.|Yes or no?|Just yes or no.|Answer with yes or no.]",
    "item": "[product|package|item|article]",
    "part": "[part|part|object|item|product|piece|surface|component|{part}]",
}
"""What `<name>` in a template stands for."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its one right answer; `skill` names what it tests."""

    skill: str
    question: str
    answer: str


Chain: TypeAlias = tuple[Turn, ...]
"""Turns that must follow each other, because the later ones lean on the earlier ones."""


def phrase(rng: random.Random, template: str | tuple[str, ...], **words: str) -> str:
    """One of the templates, worded.

    `<name>` stands for shared synonyms, one part of each `[a|b|c]` is taken, and then the words
    stand in place of `{name}`.
    """
    text = template if isinstance(template, str) else rng.choice(template)
    text = _SHARED.sub(lambda found: SYNONYMS[found[1]], text)
    while match := _CHOICE.search(text):
        start, end = match.span()
        text = text[:start] + rng.choice(match[1].split("|")) + text[end:]
    text = text.format(**words) if words else text
    return " ".join(text.split())


def shuffled(rng: random.Random, weights: dict[Ask, int], most: int) -> list[Ask]:
    """Up to `most` kinds of question, heavier ones likelier and earlier.

    One of weight `w` comes at most `w // 3 + 1` times.
    """
    pool = [ask for ask, weight in weights.items() for _ in range(weight // 3 + 1)]
    keys = [rng.random() ** (1 / weights[ask]) for ask in pool]
    ranked = sorted(range(len(pool)), key=keys.__getitem__, reverse=True)
    return [pool[i] for i in ranked[:most]]


def casual(rng: random.Random, question: str) -> str:
    """The question as hurried people type it: small letters, no mark, no article, a polite word."""
    if "gray" in question and rng.random() < 0.4:
        question = question.replace("gray", "grey")
    chance = rng.random()
    if chance < 0.6:
        return question
    if chance < 0.7:
        return question.rstrip("?.")
    if chance < 0.8:
        return question.lower().rstrip("?.") if rng.random() < 0.5 else question.lower()
    if chance < 0.88:
        opening = rng.choice(_OPENINGS)
        return opening + (question[0].lower() + question[1:] if opening[-2] != ":" else question)
    if chance < 0.91:
        return _hurried(rng, question)
    if chance < 0.93:
        return question.upper()
    if chance < 0.97 and not _ENDS.search(question[:-1]):
        mark = question[-1] if question[-1] in "?." else ""
        more = rng.choice((" please", ", please", " exactly", " here", " in this picture"))
        if mark != "?" or question.count(" ") < 3:
            more = rng.choice((" please", ", please"))
        return question.removesuffix(mark) + more + rng.choice((mark, mark, ""))
    return _without_articles(question)


def _hurried(rng: random.Random, question: str) -> str:
    """With a slip of the space bar or of the question mark."""
    slip = rng.randrange(3)
    if slip == 0 and question.endswith("?"):
        return question[:-1] + rng.choice((" ?", "??", "?!"))
    if slip == 1 and " " in question:
        words = question.split(" ")
        at_word = rng.randrange(1, len(words))
        return " ".join(words[:at_word]) + "  " + " ".join(words[at_word:])
    return question + " "


def _without_articles(question: str) -> str:
    bare = _ARTICLE.sub("", question)
    return bare[:1].upper() + bare[1:] if question[:1].isupper() else bare


def listing(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = items
    return f"{', '.join(head)} and {last}" if head else last


def article(noun: str) -> str:
    """The noun with `a` or `an`."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def times(count: int, noun: str) -> str:
    """`1 circle`, `3 circles`."""
    return f"{count} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a noun this package knows."""
    if noun.endswith(("s", "x", "ch")):
        return noun + "es"
    return noun + "s"


def at(place: str) -> str:
    """The nine-field place as part of a sentence."""
    return "in the center" if place == "center" else f"at the {place}"


_CORNERS = {"top": "[top|upper]", "bottom": "[bottom|lower]"}


def asked_at(rng: random.Random, place: str) -> str:
    """The nine-field place as people name it."""
    if place == "center":
        return phrase(
            rng, ("in the <center>", "in the <center> of the <picture>", "at the <center>")
        )
    row, column = place.split()
    if row == "middle":
        return phrase(
            rng,
            (
                "at the middle {side}",
                "at the [center|centre] {side}",
                "in the middle {side}",
                "on the {side} in the middle",
                "halfway down on the {side}",
            ),
            side=column,
        )
    if column == "center":
        return phrase(
            rng,
            (
                f"at the {row} [center|centre]",
                f"at the {row} in the middle",
                f"in the {_CORNERS[row]} middle",
                f"in the {row} center",
            ),
        )
    return phrase(
        rng,
        (
            f"at the {place}",
            f"at the {_CORNERS[row]} {column}",
            f"in the {_CORNERS[row]} {column}",
            f"in the {_CORNERS[row]} {column} corner",
            f"in the {_CORNERS[row]} {column}-hand corner",
            f"on the {_CORNERS[row]} {column}",
        ),
    )


NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def alternatives(rng: random.Random, right: str, others: Iterable[str]) -> str:
    """`red or blue`: the right one and another, in random order."""
    pair = [right, rng.choice([o for o in others if o != right])]
    rng.shuffle(pair)
    return " or ".join(pair)
