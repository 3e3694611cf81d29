"""Tokenizer and processor of the shapes of random weights, so that they can be talked to.

The vocabulary is made by rule and as large as the family's: single bytes, words of syllables with
and without a blank before, numbers, signs, Chinese letters. Its special tokens are the family's, at
their ids; the sizes of images are those of the published checkpoints.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import string
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.demo.tokenizer import SPECIAL_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = 151_329
"""Tokens that are bytes. Special ones follow: GLM-4.1V's, of which GLM-4V-9B's are the first."""
VOCABULARY = 151_552
_CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
_EDGES = {
    "preprocessor_config.json": {"shortest_edge": 12_544, "longest_edge": 9_633_792},
    "video_preprocessor_config.json": {"shortest_edge": 12_544, "longest_edge": 47_040_000},
}
"""Of GLM-4.1V-9B-Thinking: values of all frames, height times width times two."""
_ENDS = [
    WORDS + SPECIAL_TOKENS.index(name) for name in ("<|endoftext|>", "<|user|>", "<|observation|>")
]


def write_words(folder: Path, model_type: str) -> None:
    """Everything beside weights and config.json that a conversation needs."""
    settings = {"eos_token_id": _ENDS, "pad_token_id": _ENDS[0], "do_sample": True}
    _write(folder / "generation_config.json", settings)
    if model_type == "chatglm":
        _write_original(folder)
        return
    from glm4v_tui.inference.glm4v_9b.tokenizer import load_tokenizer

    with tempfile.TemporaryDirectory() as home:
        _write_original(Path(home))
        load_tokenizer(Path(home)).backend_tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        shutil.copyfile(CHECKPOINT / name, folder / name)
    for name, edges in _EDGES.items():
        settings = json.loads((CHECKPOINT / name).read_text(encoding="utf-8"))
        _write(folder / name, settings | _CLIP | {"size": edges})


def words() -> list[bytes]:
    """All tokens that are bytes, in the order of their ids."""
    texts = (text.encode() for text in _texts())
    unique = dict.fromkeys(itertools.chain((bytes([n]) for n in range(256)), texts))
    return list(itertools.islice(unique, WORDS))


def _texts() -> Iterator[str]:
    yield from map(str, range(1000))
    yield from map("".join, itertools.product(string.punctuation, repeat=2))
    syllables = ["".join(pair) for pair in itertools.product("bcdfghjklmnprstvwz", "aeiou")]
    for count, every in ((1, 1), (2, 1), (3, 13)):
        for parts in itertools.islice(itertools.product(syllables, repeat=count), 0, None, every):
            word = "".join(parts)
            yield word
            yield f" {word}"
    letters = list(map(chr, range(0x4E00, 0x9E00)))
    yield from letters
    yield from map("".join, zip(letters, reversed(letters), strict=True))


def _write_original(folder: Path) -> None:
    """The files of a GLM-4V-9B's tokenizer."""
    lines = (
        base64.b64encode(word) + f" {number}\n".encode() for number, word in enumerate(words())
    )
    (folder / "tokenizer.model").write_bytes(b"".join(lines))
    names = {WORDS + number: name for number, name in enumerate(SPECIAL_TOKENS)}
    names[VOCABULARY - 1] = "<|reserved|>"  # what lies between gets a name when it is read
    told = {str(id_): {"content": name} for id_, name in names.items()}
    _write(folder / "tokenizer_config.json", {"added_tokens_decoder": told})


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=1), encoding="utf-8")
