"""Precisions as a plan sees them, made of the rules that loading goes by."""

from glm4v_tui.plan.rules import PRECISIONS, precision_from
from glm4v_tui.precision import Format, Part, Place, Rule


def test_compact_keeps_the_embedding_in_host_memory_and_may_park_the_tower():
    compact = PRECISIONS["int4-compact"]
    assert compact.of(Part.LANGUAGE) == compact.of(Part.HEAD) == Format.NF4
    assert compact.embedding_in_host
    assert compact.may_park_vision
    assert not PRECISIONS["int4"].may_park_vision


def test_a_rule_for_everything_is_what_is_computed_in():
    own = precision_from("own", (Rule("*", "*", Format.FP16),))
    assert own.compute == own.language == own.embedding == Format.FP16


def test_the_first_rule_counts_and_no_rule_leaves_16_bits():
    twice = (Rule("language", "*", Format.INT8), Rule("language", "*", Format.NF4))
    own = precision_from("own", twice)
    assert own.language == Format.INT8
    assert own.vision == own.head == Format.BF16


def test_rules_of_single_modules_are_passed_over():
    rules = (
        Rule("*", "*.down_proj", Format.INT8),
        Rule("vision", "*", Format.NF4, Place.PARKED),
    )
    own = precision_from("own", rules)
    assert (own.language, own.vision) == (Format.BF16, Format.NF4)
    assert own.may_park_vision
