"""Keys with the times at which they arrived; what a person has pressed passes."""

import pytest

from glm4v_tui.ui.triage.key_gate import KeyGate, Press, Why


def judged(*presses: tuple[str, float]) -> list[Why | None]:
    """What the gate says of each of these keys (key, milliseconds), once all have arrived."""
    gate = KeyGate()
    pressed = [Press(key, milliseconds / 1000) for key, milliseconds in presses]
    for press in pressed:
        gate.note(press)
    return [gate.why_not(press) for press in pressed]


def test_a_single_key_passes():
    assert judged(("a", 0)) == [None]


def test_fingers_at_their_fastest_pass():
    assert judged(*(("a", 90 * n) for n in range(20))) == [None] * 20


def test_two_fingers_that_meet_pass():
    assert judged(("a", 0), ("n", 15), ("x", 200)) == [None] * 3


@pytest.mark.parametrize("pair", ["ax", "a1", "12", "fx", "a\r", "xq"])
def test_two_keys_in_one_read_are_no_fingers(pair):
    assert judged((pair[0], 0), (pair[1], 1)) == [Why.BURST] * 2


def test_the_rest_of_an_answer_of_the_terminal_belongs_to_it_when_it_comes_late():
    start = [("alt+shift+p", 0), ("greater_than_sign", 0.1), ("t", 0.2)]
    assert judged(*start, ("a", 300), ("backslash", 400), ("x", 700)) == [Why.BURST] * 5 + [None]


def test_one_key_twice_in_one_read_counts_once():
    assert judged(("a", 0), ("a", 1)) == [None, Why.HELD]


def test_a_path_in_one_read_is_a_burst():
    assert judged(*((letter, 0.01 * n) for n, letter in enumerate("/parts/a.png"))) == [
        Why.BURST
    ] * len("/parts/a.png")


def test_the_first_keys_of_a_burst_belong_to_it():
    assert judged(("a", 0), ("x", 12), ("f", 24))[0] is Why.BURST


def test_what_follows_a_burst_soon_belongs_to_it():
    assert judged(("a", 0), ("b", 1), ("c", 2), ("x", 100), ("a", 190)) == [Why.BURST] * 5


def test_what_follows_a_burst_after_a_pause_passes():
    assert judged(("a", 0), ("b", 1), ("c", 2), ("x", 300))[-1] is None


def test_a_key_long_before_a_burst_passes():
    assert judged(("a", 0), ("b", 500), ("c", 501), ("d", 502))[0] is None


@pytest.mark.parametrize("period", [15, 33, 50])
def test_a_held_key_counts_no_more_than_its_first_press(period):
    repeats = [("a", 400 + period * n) for n in range(10)]
    found = judged(("x", 0), *repeats)
    assert found[0] is None
    assert all(found[2:])


def test_keys_that_a_stuck_line_delivers_together_are_a_burst():
    assert judged(*(("a", 0.2 * n) for n in range(5))) == [Why.BURST] * 5


def test_keys_right_after_a_paste_belong_to_it():
    gate = KeyGate()
    gate.note_paste(1.0)
    gate.note(Press("a", 1.05))
    assert gate.why_not(Press("a", 1.05)) is Why.BURST
