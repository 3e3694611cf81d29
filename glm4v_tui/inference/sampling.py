"""What ends an answer, what of it is text, and how its tokens are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import Sampling

_MARKS = (
    "<think>", "</think>", "<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>",
)  # fmt: skip
"""Special in some tokenizers, but part of the answer: ``chat.split_answer`` reads them."""


def set_sampling(config: Any, sampling: Sampling) -> None:
    """Write the user's choices over the checkpoint's; None leaves the checkpoint's."""
    if sampling.repetition_penalty is not None:
        config.repetition_penalty = sampling.repetition_penalty
    if sampling.temperature == 0:
        config.do_sample = False
        # Not None: generate would fill that from the checkpoint, and warn of unused settings.
        config.temperature, config.top_p, config.top_k = 1.0, 1.0, 50
        return
    chosen = {
        "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k,
    }  # fmt: skip
    for name, value in chosen.items():
        if value is not None:
            setattr(config, name, value)
            config.do_sample = True


_FORBIDDING = (
    "no_repeat_ngram_size", "bad_words_ids", "min_length", "min_new_tokens", "suppress_tokens",
    "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "sequence_bias",
    "exponential_decay_length_penalty", "repetition_penalty",
)  # fmt: skip
"""Settings of checkpoints that forbid or force tokens, or make quotes and braces unlikely."""


def leave_to_the_form(config: Any) -> None:
    """Let nothing but the form of a bound answer forbid a token: else none might be left."""
    for name in _FORBIDDING:
        setattr(config, name, None)


def stop_ids_of(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    ends = generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset([ends] if isinstance(ends, int) else ends)


def hidden_ids_of(tokenizer: Any, stop_ids: frozenset[int]) -> frozenset[int]:
    """Ids that leave no text: special tokens and stop ids, but not the marks of an answer."""
    special = {
        id_
        for id_, token in getattr(tokenizer, "added_tokens_decoder", {}).items()
        if token.special
    }
    marks = {tokenizer.convert_tokens_to_ids(mark) for mark in _MARKS}
    unknown = {tokenizer.unk_token_id} if tokenizer.unk_token_id is not None else set()
    return frozenset((special | set(tokenizer.all_special_ids) | stop_ids) - (marks - unknown))
