from __future__ import annotations

import os

import pytest

from glm4v_tui.engine.protocol import RgbImage
from glm4v_tui.inference.image_store import ImageStore


def picture(shade: int) -> RgbImage:
    return RgbImage(20, 10, bytes([shade]) * 600)


def test_older_images_leave_memory_and_come_back_unchanged() -> None:
    store = ImageStore(memory_bytes=1500)
    for shade in range(50):
        store.put(str(shade), picture(shade))
    assert store.held_bytes <= 1500
    assert all(store.get(str(shade)) == picture(shade) for shade in range(50))


def test_an_image_put_again_is_kept_once() -> None:
    store = ImageStore(memory_bytes=1500)
    for _ in range(3):
        for shade in range(5):
            store.put(str(shade), picture(shade))
    assert len(store._held) + len(store._spilled) == 5


def test_the_latest_image_stays_in_memory_however_large() -> None:
    store = ImageStore(memory_bytes=10)
    store.put("a", picture(1))
    assert store.held_bytes == 600


def test_an_unknown_key_has_no_image() -> None:
    assert ImageStore().get("nothing") is None


def test_a_full_disk_loses_no_image() -> None:
    store = ImageStore(memory_bytes=700)
    store._file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115, PTH123 - closed below
    try:
        for shade in range(4):
            store.put(str(shade), picture(shade))
        assert all(store.get(str(shade)) == picture(shade) for shade in range(4))
    finally:
        store._file.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
def test_the_file_has_no_name() -> None:
    store = ImageStore(memory_bytes=10)
    for shade in range(3):
        store.put(str(shade), picture(shade))
    assert store._file is not None
    assert os.readlink(f"/proc/self/fd/{store._file.fileno()}").endswith("(deleted)")  # noqa: PTH115


def test_an_image_that_is_kept_outlives_its_drop() -> None:
    store = ImageStore()
    store.put("a", picture(1))
    store.keep("a")
    store.keep("a")
    store.drop("a")
    store.let_go("a")
    assert store.get("a") == picture(1)
    store.let_go("a")
    assert store.get("a") is None


def test_an_image_that_is_put_again_after_its_drop_stays() -> None:
    store = ImageStore()
    store.put("a", picture(1))
    store.keep("a")
    store.drop("a")
    store.put("a", picture(1))
    store.let_go("a")
    assert store.get("a") == picture(1)
