"""What is said of a worker that nobody has ended."""

import pytest

from glm4v_tui.engine.ending import AGAIN, ending_of
from glm4v_tui.gpu import limits

EXIT = "it ended with exit code 1"
MAPPING = "ImportError: libtorch_cpu.so: failed to map segment from shared object"
UNRELATED = "KeyError: 'no row of the table'"


@pytest.fixture(autouse=True)
def unlimited(monkeypatch):
    """Whoever runs the tests may have a limit."""
    monkeypatch.setattr(limits, "address_space_limit", lambda: None)


@pytest.fixture
def limited(monkeypatch):
    monkeypatch.setattr(limits, "address_space_limit", lambda: 3 << 30)


def test_of_an_end_without_a_word_only_its_manner_is_told():
    ended = ending_of(EXIT, "")
    assert ended == ("The model's process ended", "It ended with exit code 1.", AGAIN)
    assert "memory" not in ending_of(EXIT, UNRELATED).body
    assert "memory runs out" in ending_of("it was ended by signal 9 (SIGKILL)", "").body


def test_what_it_said_last_is_told_with_the_remedy():
    ended = ending_of(EXIT, f"Traceback\n{MAPPING}\n")
    assert MAPPING in ended.body
    assert "smaller --precision" in ended.remedy


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("words", [MAPPING, "MemoryError: \nMemoryError: \n", "std::bad_alloc"])
def test_a_limit_that_it_met_is_named(words):
    ended = ending_of(EXIT, words)
    assert ended.title == "The model's process had no memory left"
    assert "3.0 GiB (ulimit -v)" in ended.body
    assert "ulimit -v unlimited" in ended.remedy


@pytest.mark.usefixtures("limited")
def test_a_limit_is_a_guess_where_nothing_was_said():
    ended = ending_of("it was ended by signal 11 (SIGSEGV)", UNRELATED)
    assert ended.title == "The model's process ended"
    assert ended.body.endswith("That may be why.")
    assert ended.remedy.startswith(AGAIN)
    assert "ulimit -v unlimited" in ended.remedy
