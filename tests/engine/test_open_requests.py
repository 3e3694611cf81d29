"""What an abort finds: for the thread that reads commands and the one that answers."""

from __future__ import annotations

from glm4v_tui.engine.open_requests import OpenRequests


def test_a_waiting_request_ends_with_its_abort_and_only_once() -> None:
    requests = OpenRequests()
    requests.put("a", urgent=False)
    assert not requests.should_stop("a")
    assert requests.abort("a")
    assert requests.should_stop("a")
    assert not requests.abort("a")
    assert not requests.start("a")
    assert not requests.end("a")


def test_a_running_request_is_ended_by_who_runs_it() -> None:
    requests = OpenRequests()
    requests.put("a")
    assert requests.start("a")
    assert not requests.abort("a")
    assert requests.should_stop("a")
    requests.rest("a")  # too late: it is to end
    assert not requests.abort("a")
    assert requests.end("a")
    assert not requests.is_open("a")


def test_a_request_that_rests_waits_again() -> None:
    requests = OpenRequests()
    requests.put("a", urgent=False)
    assert requests.start("a")
    requests.rest("a")
    assert requests.abort("a")


def test_only_what_waits_and_is_urgent_hurries() -> None:
    requests = OpenRequests()
    requests.put("later", urgent=False)
    assert not requests.has_urgent()
    requests.put("now")
    requests.put("never")
    requests.abort("never")
    assert requests.has_urgent()
    requests.start("now")
    assert not requests.has_urgent()


def test_a_name_can_be_used_again() -> None:
    requests = OpenRequests()
    for _ in range(2):
        requests.put("a")
        assert requests.start("a")
        requests.abort("a")
        assert requests.end("a")
    requests.put("a")
    assert not requests.should_stop("a")


def test_consent_counts_for_the_running_request_that_asks_for_it() -> None:
    requests = OpenRequests()
    for name in ("a", "b"):
        requests.put(name)
    requests.take_consent("a", is_given=True)  # nothing asks yet
    requests.start("a")
    requests.expect_consent("a")
    requests.take_consent("b", is_given=False)
    requests.take_consent("a", is_given=True)
    assert requests.consent("a")
    requests.take_consent("a", is_given=False)
    assert not requests.consent("a")


def test_an_abort_while_consent_is_waited_for_is_a_no() -> None:
    requests = OpenRequests()
    requests.put("a")
    requests.start("a")
    requests.expect_consent("a")
    requests.take_consent("a", is_given=True)
    requests.abort("a")
    assert not requests.consent("a")
