"""What servers differ in. All speak chat completions with ``image_url`` parts and streams.

==============  ==================  ===================  =============  =========================
server          told by             bound to a schema    logprobs       context length
==============  ==================  ===================  =============  =========================
vLLM            owned_by            response_format      20             max_model_len of the model
SGLang          owned_by            response_format      20             max_model_len of the model
llama.cpp       owned_by            response_format      20             n_ctx of the model, /props
Ollama          its first page      response_format      20 (new ones)  /api/show
LM Studio       owned_by            response_format      no             /api/v0/models
transformers    status of a model   ignored              ignored        not told
others          -                   asked for, checked   asked for      not told
==============  ==================  ===================  =============  =========================

transformers serve refuses a question (422) for a key that it does not know, and its stream ends
without ``[DONE]``; Ollama ignores ``top_k``; llama.cpp calls the penalty ``repeat_penalty`` and
looks for repetitions in the last 64 tokens alone unless it is told to look at all; it also answers
whatever model a question names, and refuses images that its model does not read as its own failure
(500).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """How one kind of server is spoken to."""

    name: str
    title: str
    binds: bool | None = None
    """It keeps answers to a schema; None where that is to be found out."""
    has_logprobs: bool | None = None
    """The same for the probabilities of tokens."""
    top_k: str | None = None
    """Its names for what the interface itself does not have; None where it has none."""
    penalty: str | None = None
    penalty_reach: str | None = None
    """Its name for how many tokens back repetitions count, where that is not all of them."""
    takes_template_words: bool = False
    """It hands ``chat_template_kwargs`` on to the model's template, which may leave thought out."""
    wants_usage: bool = True
    """It tells what a streamed answer took when asked to."""


_ALL = (
    Dialect("openai", "OpenAI-compatible"),
    Dialect("vllm", "vLLM", True, True, "top_k", "repetition_penalty", None, True),
    Dialect("sglang", "SGLang", True, True, "top_k", "repetition_penalty", None, True),
    Dialect("llama.cpp", "llama.cpp", True, True, "top_k", "repeat_penalty", "repeat_last_n", True),
    Dialect("ollama", "Ollama", True, None),
    Dialect("lmstudio", "LM Studio", True, False),
    Dialect("transformers", "transformers serve", False, False, wants_usage=False),
)
DIALECTS = {one.name: one for one in _ALL}

_OWNERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "organization_owner": "lmstudio",
    "library": "ollama",
}


def dialect_of(models: list[dict[str, Any]], first_page: str = "") -> Dialect:
    """What a server is, by what it lists.

    Args:
        models: The ``data`` of its ``/v1/models``.
        first_page: What it says at ``/``.
    """
    if "Ollama is running" in first_page:
        return DIALECTS["ollama"]
    for model in models:
        name = _OWNERS.get(str(model.get("owned_by", "")).lower())
        if name is not None:
            return DIALECTS[name]
        status = model.get("status")
        if isinstance(status, dict) and status.get("value") in ("loaded", "unloaded"):
            return DIALECTS["transformers"]
    return DIALECTS["openai"]


def context_of(model: dict[str, Any]) -> int | None:
    """The context length that a model's entry tells: vLLM, SGLang and llama.cpp (whose
    ``n_ctx_train`` is the model's, not what the server has room for); hosted services sometimes."""
    for key in ("max_model_len", "context_length", "max_context_length", "context_window"):
        if (length := positive(model.get(key))) is not None:
            return length
    meta = model.get("meta")
    return positive(meta.get("n_ctx")) if isinstance(meta, dict) else None


def positive(value: object) -> int | None:
    """A count that can be one; None for anything else."""
    return value if type(value) is int and value > 0 else None
