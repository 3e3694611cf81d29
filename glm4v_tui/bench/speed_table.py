"""Rows of ``bench speed`` in words."""

from __future__ import annotations

from typing import Any

_FIGURES = (
    ("first_token_s", "first token", 1000, "ms"),
    ("follow_up_s", "follow-up", 1000, "ms"),
    ("again_s", "the same again", 1000, "ms"),
    ("tokens_per_s", "decode", 1, "tokens/s"),
    ("roofline_share", "of what its memory allows", 100, "%"),
    ("sampled_tokens_per_s", "sampled", 1, "tokens/s"),
    ("answer_peak_gib", "peak", 1, "GiB"),
    ("load_s", "load", 1, "s"),
)
_AT = "tokens_per_s_at_"


def speed_line(facts: dict[str, Any]) -> str:
    """One row as a line of text."""
    if "made" in facts:
        return f"{facts['shape']}: {facts['parameters']:,} random weights"
    size = f", {facts['pixels']} px, {facts['new']} tokens" if "pixels" in facts else ""
    title = f"{facts.get('precision')}, {facts.get('by')}{size}"
    for name in ("failed", "skipped"):
        if name in facts:
            return f"{title}: {name}: {facts[name]}"
    parts = [
        f"{words} {_shown(facts[name] * factor)} {unit}"
        for name, words, factor, unit in _FIGURES
        if facts.get(name) is not None
    ]
    contexts = {name[len(_AT) :]: one for name, one in facts.items() if name.startswith(_AT)}
    if contexts:
        parts.append(f"tokens/s at a context of {_by_count(contexts)}")
    if "steps_of_passes" in facts:
        parts.append(f"steps for a pass by its tokens {_by_count(facts['steps_of_passes'])}")
    if "images_per_minute" in facts:
        parts.append(f"images a minute {_by_count(facts['images_per_minute'])}")
    if "ours_are" in facts:
        parts.append(f"ours by that {_by_count(facts['ours_are'])}")
    parts += _of_the_worker(facts)
    return f"{title}: {', '.join(parts)}"


def _of_the_worker(facts: dict[str, Any]) -> list[str]:
    """As the chat gets it: by kind of question."""
    parts = []
    if "worker_tokens_per_s" in facts:
        parts.append(f"from the worker {_by_count(facts['worker_tokens_per_s'])} tokens/s")
    if facts.get("worker_loss_percent"):
        parts.append(f"beside the bare step {_slower(facts['worker_loss_percent'])}")
    again = {kind: 100 * one for kind, one in facts.get("worker_said_again", {}).items() if one}
    if again:
        parts.append(f"said again {_by_count(again)} %")
    if "worker_ended_after" in facts:
        parts.append(f"ended early, tokens {_by_count(facts['worker_ended_after'])}")
    if "worker_failed" in facts:
        parts.append(f"the worker failed: {facts['worker_failed']}")
    return parts


def _slower(lost: dict[str, float]) -> str:
    """Passes of several tokens can make an answer faster than its steps."""
    words = {kind: "slower" if percent > 0 else "faster" for kind, percent in lost.items()}
    return ", ".join(f"{kind}: {abs(lost[kind]):.1f} % {words[kind]}" for kind in lost)


def _by_count(found: float | dict[str, float]) -> str:
    """By the number of images that are at work together, or by kind of question."""
    if not isinstance(found, dict):
        return _shown(found)
    return ", ".join(f"{name.replace('_', ' ')}: {_shown(one)}" for name, one in found.items())


def _shown(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
