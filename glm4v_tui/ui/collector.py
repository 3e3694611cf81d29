"""Keeping the garbage collector out of the way of the keys."""

from __future__ import annotations

import gc


def spare_collector() -> None:
    """Keep what lives as long as the program out of the garbage collector's rounds.

    Going through the modules and styles of the start takes it tens of milliseconds each time, in
    which no key is answered.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
