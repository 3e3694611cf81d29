"""Pacing: what a slow link can carry decides what is drawn."""

import pytest

from glm4v_tui.ui.pace import (
    BAND_SECONDS,
    BURST_QUIET,
    BURST_SECONDS,
    PREVIEW_SECONDS,
    QUIET,
    WHOLE_BYTES,
    Pace,
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_backlog_is_what_the_link_has_not_carried_yet(clock):
    pace = Pace(250_000, clock)
    assert pace.backlog == 0
    pace.sent(100_000)
    pace.sent(25_000)
    assert pace.backlog == pytest.approx(0.5)
    clock.now += 0.4
    assert pace.backlog == pytest.approx(0.1)
    clock.now += 9
    assert pace.backlog == 0


def test_a_usual_picture_is_drawn_whole_and_the_next_one_waits_for_the_link(clock):
    pace = Pace(250_000, clock)
    assert pace.fits(140_000)
    assert not pace.fits(WHOLE_BYTES + 1)
    pace.sent(140_000)
    assert not pace.fits(140_000)
    clock.now += 0.56
    assert pace.fits(140_000)


def test_a_fast_link_takes_large_pictures_whole(clock):
    assert Pace(10_000_000, clock).fits(900_000)


def test_bands_cover_all_rows_once_and_each_is_short(clock):
    pace = Pace(250_000, clock)
    sizes = [3_600] * 38 + [90_000]
    bands = list(pace.bands(sizes))
    assert [row for band in bands for row in band] == list(range(39))
    for band in bands[:-1]:
        assert sum(sizes[row] for row in band) <= 250_000 * BAND_SECONDS
    assert bands[-1] == range(38, 39)
    assert list(pace.bands([])) == []


def test_previews_while_keys_come_leave_time_between(clock):
    pace = Pace(4_000_000, clock)
    clock.now += 1
    assert pace.has_room
    pace.sent(40_000)
    assert not pace.has_room
    clock.now += PREVIEW_SECONDS
    assert pace.has_room


def test_in_a_burst_the_next_picture_waits_until_any_link_has_carried_the_last(clock):
    pace = Pace(4_000_000, clock)
    assert pace.burst_wait == BURST_QUIET
    pace.sent(50_000)
    assert pace.burst_wait == pytest.approx(0.2)
    clock.now += 0.15
    assert pace.burst_wait == BURST_QUIET


def test_a_single_key_waits_a_little_longer_behind_a_large_picture(clock):
    pace = Pace(4_000_000, clock)
    assert pace.key_wait == QUIET
    pace.sent(140_000)
    assert pace.key_wait == BURST_SECONDS
    clock.now += 1
    assert pace.key_wait == QUIET
