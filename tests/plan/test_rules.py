"""Precisions made of the rules that loading goes by."""

from types import SimpleNamespace

from glm4v_tui.plan.formats import Format
from glm4v_tui.plan.rules import PRECISIONS, precision_from


def rule(part, form, place="gpu", pattern="*"):
    return SimpleNamespace(part=part, pattern=pattern, format=form, place=place)


def test_rules_by_part_are_the_precision():
    compact = precision_from(
        "int4-compact",
        [
            *(rule(part, "nf4") for part in ("language", "head", "adapter")),
            rule("vision", "nf4", "parked"),
            rule("embedding", "bf16", "host"),
        ],
    )
    assert compact == PRECISIONS["int4-compact"]


def test_a_rule_for_everything_is_what_is_computed_in():
    assert precision_from("fp16", [rule("*", "fp16")]) == PRECISIONS["fp16"]


def test_the_first_rule_counts_and_no_rule_leaves_16_bits():
    own = precision_from("own", [rule("language", "int8"), rule("language", "nf4")])
    assert own.language == Format.INT8
    assert own.vision == own.head == Format.BF16


def test_rules_of_single_modules_are_passed_over():
    own = precision_from("own", [rule("*", "fp32", pattern="*.down_proj"), rule("vision", "nf4")])
    assert (own.language, own.vision) == (Format.BF16, Format.NF4)
