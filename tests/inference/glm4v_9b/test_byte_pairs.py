"""The fast tokenizer merges as tiktoken does: always the pair whose union has the lowest rank."""

from __future__ import annotations

import base64
import itertools
import json
import random
from pathlib import Path

import pytest

from glm4v_tui.inference.glm4v_9b.tokenizer import load_tokenizer, read_ranks


def merged(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    """tiktoken's rule, written down."""
    if piece in ranks:
        return [ranks[piece]]
    parts = [piece[index : index + 1] for index in range(len(piece))]
    while True:
        pairs = [(ranks.get(a + b), at) for at, (a, b) in enumerate(itertools.pairwise(parts))]
        known = [(rank, at) for rank, at in pairs if rank is not None]
        if not known:
            return [ranks[part] for part in parts]
        _, at = min(known)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer whose tokens overlap in every way: random strings over two letters."""
    rng = random.Random(7)
    order = [*range(33, 127), *range(161, 173), *range(174, 256)]
    single = [bytes([byte]) for byte in [*order, *sorted(set(range(256)) - set(order))]]
    tokens = list(single)
    while len(tokens) < 400:
        token = rng.choice([*tokens[256:], b"a", b"b"]) + rng.choice([b"a", b"b", b"aa", b"ba"])
        if token not in tokens and len(token) < 9:
            tokens.append(token)
    lines = [b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens)]
    (tmp_path / "tokenizer.model").write_bytes(b"".join(lines))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 100}))
    return tmp_path


def test_merging_is_tiktokens(folder: Path) -> None:
    ranks = read_ranks(folder / "tokenizer.model")
    tokenizer = load_tokenizer(folder)
    rng = random.Random(1)
    for _ in range(2000):
        word = "".join(rng.choice("aab") for _ in range(rng.randrange(1, 25)))
        assert tokenizer.encode(word) == merged(word.encode(), ranks), word


def test_special_tokens_follow_the_file_when_nothing_tells_them(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    assert tokenizer.convert_tokens_to_ids("<|endoftext|>") == 400
    assert tokenizer.convert_tokens_to_ids("<|end_of_video|>") == 413


@pytest.mark.parametrize("content", [b"", b"\x0a\x0e\x0a\x05<unk>", b"IQ== 0\nIg== 5\n", b"IQ==\n"])
def test_a_file_of_another_kind_is_named(folder: Path, content: bytes) -> None:
    (folder / "tokenizer.model").write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer\.model"):
        load_tokenizer(folder)
