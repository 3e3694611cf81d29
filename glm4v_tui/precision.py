"""How the weights of a model are kept: the named precisions, as rules.

A precision is a list of rules. Of every matrix of the model the first rule that fits its part and
its name says in which format it is kept and where; what no rule names stays as it is computed with
(bfloat16, or float16 on GPUs without it). Only linear layers and the embedding can be INT8, only
linear layers NF4. Biases, norms and convolutions are small and keep the computing format.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from glm4v_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NF4_BLOCK = 64
"""Weights that share a scale in NF4."""
NF4_SCALES_BLOCK = 256
"""Scales that share a scale: NF4's double quantization."""


class Format(StrEnum):
    """In which numbers a tensor's weights are kept."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    INT8 = "int8"
    """LLM.int8 (arXiv:2208.07339): a byte a weight, one scale a row."""
    NF4 = "nf4"
    """QLoRA's four-bit NormalFloat (arXiv:2305.14314), its scales quantized too."""


class Part(StrEnum):
    """Parts of a vision-language model, told apart by structure and not by names."""

    LANGUAGE = "language"
    """The layers of the language model, its norms included."""
    EMBEDDING = "embedding"
    HEAD = "head"
    """The output matrix over the vocabulary."""
    VISION = "vision"
    """The vision tower with everything inside it."""
    ADAPTER = "adapter"
    """What stands between tower and language model, where it is outside of the tower."""


class Place(StrEnum):
    """Where a part's weights live while the model runs on a GPU."""

    GPU = "gpu"
    HOST = "host"
    """In host memory for good: of an embedding only the rows in use are moved."""
    PARKED = "parked"
    """In host memory while it is not in use, or streamed, where the GPU has no room for it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of the matrices it fits."""

    part: str
    """A :class:`Part`, or ``*`` for all."""
    pattern: str
    """A shell pattern over module names as the model has them; ``*`` fits all."""
    format: Format
    place: Place = Place.GPU
    outliers: float = 0.0
    """LLM.int8's threshold: columns with inputs beyond it are computed in 16 bits; 0 for none.

    With 6, the authors' value, every product waits for the GPU to count such columns.
    """

    def fits(self, part: str, name: str) -> bool:
        return self.part in ("*", part) and fnmatchcase(name, self.pattern)


def _all(*parts: Part, to: Format, place: Place = Place.GPU) -> tuple[Rule, ...]:
    return tuple(Rule(part, "*", to, place) for part in parts)


_INT8_LOOKUP = Rule(Part.EMBEDDING, "*", Format.INT8)

PRECISIONS: dict[str, tuple[Rule, ...]] = {
    "fp32": (Rule("*", "*", Format.FP32),),
    "bf16": (Rule("*", "*", Format.BF16),),
    "fp16": (Rule("*", "*", Format.FP16),),
    "int8": (_INT8_LOOKUP, *_all(Part.LANGUAGE, Part.VISION, Part.ADAPTER, to=Format.INT8)),
    "mixed": (
        _INT8_LOOKUP,
        *_all(Part.VISION, Part.ADAPTER, to=Format.INT8),
        *_all(Part.LANGUAGE, to=Format.NF4),
    ),
    "int4": (_INT8_LOOKUP, *_all(Part.LANGUAGE, Part.VISION, Part.ADAPTER, to=Format.NF4)),
    "int4-compact": (
        *_all(Part.LANGUAGE, Part.HEAD, Part.ADAPTER, to=Format.NF4),
        *_all(Part.VISION, to=Format.NF4, place=Place.PARKED),
        *_all(Part.EMBEDDING, to=Format.BF16, place=Place.HOST),
    ),
}
"""The named precisions. Users add theirs in ``config.toml``, see :func:`all_precisions`."""

PLAIN = frozenset({Format.FP32, Format.BF16, Format.FP16})
"""Formats that matrix products are computed in; the others are unpacked for each product."""


def format_of(rules: tuple[Rule, ...], part: str, name: str) -> Rule | None:
    """The rule for a module, the first that fits; None when it is left as it is computed with."""
    return next((rule for rule in rules if rule.fits(part, name)), None)


def computes_in(rules: tuple[Rule, ...]) -> Format:
    """The format that everything without a rule has, and that products are computed in."""
    whole = next((rule for rule in rules if (rule.part, rule.pattern) == ("*", "*")), None)
    return whole.format if whole is not None and whole.format in PLAIN else Format.BF16


def is_quantized(rules: tuple[Rule, ...]) -> bool:
    return any(rule.format not in PLAIN for rule in rules)


def bytes_of_linear(rows: int, columns: int, to: Format) -> int:
    """Bytes that a matrix takes: its weights with their scales."""
    count = rows * columns
    match to:
        case Format.INT8:
            return count + 4 * rows
        case Format.NF4:
            blocks = -(-count // NF4_BLOCK)
            return -(-count // 2) + blocks + 4 * -(-blocks // NF4_SCALES_BLOCK) + 4
        case Format.FP32:
            return 4 * count
        case _:
            return 2 * count


# The user's own ---------------------------------------------------------------------------------


_Format = Literal["fp32", "bf16", "fp16", "int8", "nf4"]


class UserPrecision(msgspec.Struct, frozen=True):
    """``[precisions.NAME]``: a format for each part; what is not named is left in 16 bits."""

    language: _Format | None = None
    embedding: Literal["bf16", "fp16", "fp32", "int8"] | None = None
    head: _Format | None = None
    vision: _Format | None = None
    adapter: _Format | None = None
    modules: dict[str, _Format] = {}
    """Shell patterns over module names; they go before the parts."""
    embedding_in: Literal["gpu", "host"] = "gpu"
    vision_in: Literal["gpu", "parked"] = "gpu"
    outliers: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """LLM.int8's threshold."""

    def rules(self) -> tuple[Rule, ...]:
        places = {Part.EMBEDDING: Place(self.embedding_in), Part.VISION: Place(self.vision_in)}
        by_name = tuple(
            Rule("*", pattern, Format(kept), outliers=self.outliers)
            for pattern, kept in self.modules.items()
        )
        by_part = []
        for part in Part:
            kept, place = getattr(self, part), places.get(part, Place.GPU)
            if kept or place is not Place.GPU:
                by_part.append(Rule(part, "*", Format(kept or "bf16"), place, self.outliers))
        return (*by_name, *by_part)


def all_precisions(config_file: Path | None = None) -> Mapping[str, tuple[Rule, ...]]:
    """The named precisions and the user's, which may not take a name that is there.

    Args:
        config_file: By default the user's ``config.toml``.

    Raises:
        SettingsError: the file's table ``[precisions]`` is wrong.
    """
    return PRECISIONS | _users(config_file)


def rules_of(name: str, config_file: Path | None = None) -> tuple[Rule, ...]:
    """The rules of a precision.

    Raises:
        UsageError: there is none of this name.
        SettingsError: the user's own cannot be read.
    """
    known = all_precisions(config_file)
    if name not in known:
        raise UsageError(
            f"Unknown precision {name!r}",
            "",
            f"Choose one of: {', '.join(('auto', *known))}.",
        )
    return known[name]


def _users(config_file: Path | None) -> dict[str, tuple[Rule, ...]]:
    from glm4v_tui import paths
    from glm4v_tui.toml_file import read_toml
    from glm4v_tui.toml_struct import read_table

    file = config_file or paths.config_file()
    if not file.exists():
        return {}
    written = read_toml(file)
    own = written.data.get("precisions", {})
    return {
        name: read_table(written, UserPrecision, ("precisions", name)).rules()
        for name in (own if isinstance(own, dict) else ())
        if name not in PRECISIONS and name != "auto"
    }
