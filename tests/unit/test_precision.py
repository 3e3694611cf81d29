from __future__ import annotations

from pathlib import Path

import pytest

from glm4v_tui.config import load_settings
from glm4v_tui.errors import SettingsError, UsageError
from glm4v_tui.precision import (
    PRECISIONS,
    Format,
    Place,
    Rule,
    all_precisions,
    computes_in,
    format_of,
    is_quantized,
    rules_of,
)


def test_the_first_rule_that_fits_decides() -> None:
    rules = (Rule("*", "*.layers.0.*", Format.BF16), Rule("language", "*", Format.NF4))
    first = format_of(rules, "language", "model.layers.0.mlp")
    second = format_of(rules, "language", "model.layers.1.mlp")
    assert (first, second) == rules
    assert format_of(rules, "vision", "visual.blocks.3.mlp") is None


def test_mixed_keeps_the_eye_finer_than_the_language() -> None:
    mixed = PRECISIONS["mixed"]
    kept = {part: format_of(mixed, part, "x") for part in ("vision", "language", "head")}
    assert kept["vision"] is not None
    assert kept["vision"].format is Format.INT8
    assert kept["language"] is not None
    assert kept["language"].format is Format.NF4
    assert kept["head"] is None


def test_compact_leaves_embedding_and_resting_tower_to_the_host() -> None:
    compact = PRECISIONS["int4-compact"]
    places = {rule.part: rule.place for rule in compact}
    assert places["embedding"] is Place.HOST
    assert places["vision"] is Place.PARKED


@pytest.mark.parametrize(
    ("name", "kept", "quantized"),
    [("fp32", "fp32", False), ("fp16", "fp16", False), ("int8", "bf16", True)],
)
def test_what_products_are_computed_in(name: str, kept: str, quantized: bool) -> None:
    assert computes_in(PRECISIONS[name]) == kept
    assert is_quantized(PRECISIONS[name]) is quantized


def test_users_write_their_own(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[precisions.mine]\nlanguage = "nf4"\nvision_in = "parked"\noutliers = 6.0\n'
        'modules = { "*.layers.0.*" = "bf16" }\n'
    )
    rules = rules_of("mine", file)
    assert rules == (
        Rule("*", "*.layers.0.*", Format.BF16, outliers=6.0),
        Rule("language", "*", Format.NF4, outliers=6.0),
        Rule("vision", "*", Format.BF16, Place.PARKED, 6.0),
    )
    assert list(all_precisions(file)) == [*PRECISIONS, "mine"]


def test_a_users_mistake_is_told_by_line_when_settings_are_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[precisions.mine]\nlanguage = "int3"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert ":2: precisions.mine.language" in caught.value.body
    assert '"nf4"' in caught.value.body


def test_shipped_names_cannot_be_taken(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[precisions.int8]\nlanguage = "nf4"\n')
    assert rules_of("int8", file) == PRECISIONS["int8"]


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        rules_of("int3", tmp_path / "config.toml")
    assert "int4-compact" in caught.value.remedy
