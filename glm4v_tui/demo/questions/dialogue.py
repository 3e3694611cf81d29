"""What a question is, and the small grammar that words it in many ways."""

import random
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Ask = TypeVar("Ask", bound=Hashable)

_CHOICE = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its one right answer; `skill` names what it tests."""

    skill: str
    question: str
    answer: str


Chain: TypeAlias = tuple[Turn, ...]
"""Turns that must follow each other, because the later ones lean on the earlier ones."""


def phrase(rng: random.Random, template: str, **words: str) -> str:
    """The template with one part of each `[a|b|c]`, then the words in place of `{name}`."""
    while match := _CHOICE.search(template):
        start, end = match.span()
        template = template[:start] + rng.choice(match[1].split("|")) + template[end:]
    text = template.format(**words) if words else template
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
    """The question as hurried people type: lower case, no mark, a polite word before."""
    chance = rng.random()
    if chance < 0.7:
        return question
    if chance < 0.8:
        return question.rstrip("?.")
    if chance < 0.9:
        return question.lower().rstrip("?.") if rng.random() < 0.5 else question.lower()
    opening = rng.choice(
        ("Please tell me: ", "Hi, ", "Hello! ", "OK, ", "Quick question: ", "Please: ")
    )
    return opening + (question[0].lower() + question[1:] if opening.endswith(", ") else question)


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
