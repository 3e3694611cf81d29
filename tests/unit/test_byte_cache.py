"""Values kept up to a number of bytes, made once even when several threads ask."""

import threading

import pytest

from glm4v_tui.ui.byte_cache import ByteCache


def test_the_oldest_goes_when_there_is_no_room():
    cache = ByteCache[str](10)
    made: list[str] = []

    def get(text: str) -> str:
        return cache.get(text, lambda: made.append(text) or text, len)

    get("aaaa")
    get("bbbb")
    get("aaaa")  # used again, so b is the oldest now
    get("cccc")
    get("aaaa")
    get("bbbb")
    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]


def test_one_value_is_kept_however_large():
    cache = ByteCache[bytes](10)
    first = cache.get("x", lambda: bytes(100), len)
    assert cache.get("x", lambda: b"", len) is first


def test_two_threads_make_one_value():
    cache = ByteCache[int](10)
    started, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def make() -> int:
        started.set()
        assert go_on.wait(5)
        made.append(1)
        return 7

    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(cache.get("k", make, lambda _: 1)))
        for _ in range(2)
    ]
    threads[0].start()
    assert started.wait(5)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert results == [7, 7]
    assert made == [1]


def test_a_failure_is_not_kept():
    cache = ByteCache[int](10)
    with pytest.raises(OSError, match="disk"):
        cache.get("k", lambda: (_ for _ in ()).throw(OSError("disk")), lambda _: 1)
    assert cache.get("k", lambda: 3, lambda _: 1) == 3
