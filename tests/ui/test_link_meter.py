"""The speed of the line to the terminal, from how long writes take."""

import pytest

from glm4v_tui.ui.link_meter import LARGE, LinkMeter
from glm4v_tui.ui.pace import EAGER_GAP, EAGER_SECONDS, Pace


def test_small_writes_say_nothing():
    meter = LinkMeter()
    meter.took(LARGE - 1, 1.0)
    assert meter.rate is None


def test_the_newest_write_counts_most():
    meter = LinkMeter()
    meter.took(100_000, 0.1)
    assert meter.rate == 1_000_000
    meter.took(100_000, 0.4)
    assert meter.rate == 625_000


def test_at_a_key_no_more_is_drawn_than_the_line_carries_soon():
    pace = Pace(250_000, clock=lambda: 0.0)
    assert pace.fits_eagerly(int(250_000 * EAGER_SECONDS))
    assert not pace.fits_eagerly(int(250_000 * EAGER_SECONDS) + 1)


def test_the_next_picture_waits_for_what_the_line_still_carries():
    now = [10.0]
    pace = Pace(250_000, clock=lambda: now[0])
    now[0] = 11.0
    assert pace.eager_wait == 0
    pace.sent(50_000)
    assert pace.eager_wait == pytest.approx(0.2)
    now[0] = 11.2 + EAGER_GAP
    assert pace.eager_wait == 0
