"""How probable labels are, from the probabilities that a server tells of the first token.

This interface tells the most probable tokens at the place where the answer begins, at most 20. An
answer is known by the token that begins it, so this works where every answer is begun by another
one, as ``pass`` and ``fail`` are. Its probability is the sum over the tokens that begin it, with a
space before them and without. An answer that is not among the listed has at most the probability of
the least of them: where that is less than a thousandth of what was found, it is taken for it, and
otherwise nothing is known. Nothing is known either where two answers are begun alike, where the
model first thinks though its template is asked to leave that out, and where the server tells no
probabilities. Then the whole is unknown: no number is made up.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NEGLIGIBLE = 1e-3


def first_tokens(chunk: object) -> dict[str, float]:
    """Token -> natural logarithm of its probability, of the first place that a chunk tells of;
    empty where it tells none."""
    match chunk:
        case {"choices": [{"logprobs": {"content": [{"top_logprobs": list() as top}, *_]}}, *_]}:
            return dict(_pairs(top))
    return {}


def log_likelihoods(
    answers: Sequence[str], tokens: Mapping[str, float]
) -> tuple[float, ...] | None:
    """Of each answer the natural logarithm of its probability; None where that is not known."""
    found: dict[str, float] = {}
    for token, logprob in tokens.items():
        begun = [answer for answer in answers if _begins(token, answer)]
        if len(begun) > 1:
            return None
        for answer in begun:
            found[answer] = found.get(answer, 0.0) + math.exp(logprob)
    total = sum(found.values())
    if not total:
        return None
    most = math.exp(min(tokens.values()))
    is_complete = len(found) == len(set(answers))
    if not is_complete and most > _NEGLIGIBLE * total:
        return None
    return tuple(math.log(found.get(answer) or max(most, 1e-300)) for answer in answers)


def _begins(token: str, answer: str) -> bool:
    word = token.lstrip(" \n\u2581\u0120")  # as tokenizers write the space before a word
    return bool(word) and answer.lstrip().startswith(word)


def _pairs(top: list[object]) -> list[tuple[str, float]]:
    return [
        (token, float(logprob))
        for one in top
        if isinstance(one, dict)
        and isinstance(token := one.get("token"), str)
        and isinstance(logprob := one.get("logprob"), int | float)
        and logprob <= 0
    ]
