"""The original ``tokenizer.model`` (tiktoken's text form) as a fast tokenizer.

A line of the file is a token in base 64 and its rank. tiktoken merges the neighbors whose union
has the lowest rank; the Rust library wants the merges themselves, so every way to split a token
into two others becomes one, in order of rank.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from pathlib import Path

TOKENIZER_FILE = "tokenizer.model"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS = (
    "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>",
    "<|assistant|>", "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>",
    "<|begin_of_video|>", "<|end_of_video|>",
)  # fmt: skip
"""In the order of their ids, which follow the file's; for a folder that does not tell."""

_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How text is cut before merging; the pattern of the published tokenizer."""


class Glm4Tokenizer(PreTrainedTokenizerFast):  # type: ignore[misc]
    """A fast tokenizer around one that exists; the base class alone would copy it, for seconds."""

    def __init__(self, core: Tokenizer, **settings: Any) -> None:
        self._tokenizer = core
        super().__init__(**settings)


def load_tokenizer(folder: Path) -> Glm4Tokenizer:
    """The tokenizer of an original folder.

    Special tokens are never read out of a text: ``<|user|>`` in a question is seven characters.

    Raises:
        OSError: a file is missing.
        ValueError: the file is not tiktoken's.
    """
    settings = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    ranks = read_ranks(folder / TOKENIZER_FILE)
    core = _byte_pair_encoding(ranks)
    core.add_special_tokens(_special_tokens(settings, len(ranks)))
    return Glm4Tokenizer(
        core,
        vocab_file=str(folder / TOKENIZER_FILE),
        pad_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        padding_side="left",
        model_max_length=settings.get("model_max_length"),
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
    )


def read_ranks(file: Path) -> dict[bytes, int]:
    """Token -> its id, in the order of ids."""
    try:
        pairs = (line.split() for line in file.read_bytes().splitlines() if line)
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    except ValueError as error:
        raise ValueError(f"{file} does not hold tokens in tiktoken's form: {error}") from error
    if sorted(ranks.values()) != list(range(len(ranks))) or len(ranks) < 256:
        raise ValueError(f"{file} does not number its tokens from 0 on.")
    return dict(sorted(ranks.items(), key=lambda item: item[1]))


def _byte_pair_encoding(ranks: dict[bytes, int]) -> Tokenizer:
    letters = _letters()
    spelled = {token: "".join(map(letters.__getitem__, token)) for token in ranks}
    core = Tokenizer(
        models.BPE(
            vocab={spelled[token]: rank for token, rank in ranks.items()},
            merges=[(spelled[left], spelled[right]) for left, right in _merges(ranks)],
            ignore_merges=True,  # a piece that is a token is that token, as tiktoken has it
        )
    )
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    return core


def _merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    merges = []
    for token in ranks:
        ways = [
            (token[:at], token[at:])
            for at in range(1, len(token))
            if token[:at] in ranks and token[at:] in ranks
        ]
        merges += sorted(ways, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    return merges


def _letters() -> list[str]:
    """The printable character that byte-level tokenizers write for each byte (GPT-2's table)."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def _special_tokens(settings: dict[str, Any], first: int) -> list[AddedToken]:
    """In the order of their ids; gaps are filled so that each gets its own."""
    told = settings.get("added_tokens_decoder") or {}
    names = {int(id_): token["content"] for id_, token in told.items()}
    if not names:
        names = {first + index: name for index, name in enumerate(SPECIAL_TOKENS)}
    return [
        AddedToken(names.get(id_, f"<|reserved_{id_}|>"), special=True, normalized=False)
        for id_ in range(first, max(names) + 1)
    ]
