"""The memory gauge: what it says, and that it keeps still."""

import asyncio
import threading

import pytest
from textual.app import App
from textual.containers import Vertical

from glm4v_tui.engine.protocol import DeviceMemory, MemoryReading
from glm4v_tui.gpu import GpuReading, GpuReport, HostMemory
from glm4v_tui.ui.widgets.bar import Part, bar
from glm4v_tui.ui.widgets.gauge import VramGauge
from glm4v_tui.ui.widgets.gauge_room import lacks_room, room_for_next
from glm4v_tui.ui.widgets.gauge_text import Readings, Steady, compact, panel

GIB = 1 << 30


def gpu(index=0, used=20.5, total=80.0):
    used = None if used is None else int(used * GIB)
    total = None if total is None else int(total * GIB)
    free = None if used is None or total is None else total - used
    return GpuReading(index, f"GPU-{index}", "NVIDIA H100 80GB HBM3", total, used, free)


def worker(*devices, weights=19.0):
    return MemoryReading(GIB, int(weights * GIB), int(0.4 * GIB), tuple(devices))


def device(uuid="0", allocated=19.5, reserved=20.0, peak=19.9):
    return DeviceMemory(uuid, *(int(size * GIB) for size in (allocated, reserved, peak)))


def readings(*gpus, worker=None, host=HostMemory(32 * GIB, 20 * GIB)):  # noqa: B008 - frozen
    return Readings(GpuReport(gpus), host, GIB // 10, worker)


def lines(readings, width=30):
    return [line.plain for line in panel(readings, Steady(), width)]


def test_one_gpu_tells_all_figures_apart():
    text = lines(readings(gpu(), worker=worker(device())))
    assert text[0] == "0 H100 80GB HBM3"
    assert text[2].split() == ["20.5/80.0", "GiB", "26%"]
    assert [line.split() for line in text[3:]] == [
        ["ours", "19.5"],
        ["ours,", "reserved", "but", "free", "0.5"],
        ["ours,", "peak", "19.9"],
        ["CUDA", "and", "others", "0.5"],
        ["weights", "19.0"],
        ["KV", "cache", "0.4"],
        ["worker,", "host", "memory", "1.0"],
    ]
    assert {len(line) for line in text[1:]} == {30}


def test_what_the_next_question_needs_is_told_once_it_is_known():
    known = readings(gpu(), worker=worker(device()))._replace(coming=int(0.7 * GIB))
    row = panel(known, Steady(), 30)[7]
    assert row.plain.split() == ["next", "question", "needs", "0.7"]
    assert "$text-error" not in str(row.spans)


def test_a_question_that_does_not_fit_is_shown_in_the_error_color():
    """0.5 GiB are free, and 1.0 more are reserved and hold no weights."""
    full = readings(gpu(used=79.5), worker=worker(device()))
    assert room_for_next(full) == int(1.5 * GIB)
    fits, lacks = (full._replace(coming=int(gib * GIB)) for gib in (1.4, 1.6))
    assert not lacks_room(fits)
    assert lacks_room(lacks)
    assert "$text-error" in str(panel(lacks, Steady(), 30)[7].spans)
    assert compact(lacks, Steady(), 60).plain == "VRAM 79.5/80.0 GiB  next 1.6, free 1.5"
    assert "next" not in compact(fits, Steady(), 60).plain


def test_on_the_host_its_free_memory_is_the_room():
    host = readings(worker=worker(weights=2.0))._replace(coming=int(21 * GIB))
    assert room_for_next(host) == int(20.4 * GIB)
    assert lacks_room(host)


@pytest.mark.parametrize("known", [readings(gpu()), readings(gpu(used=None), worker=worker())])
def test_without_readings_nothing_is_said_to_lack(known):
    unknown = known._replace(host=None, coming=GIB << 10)
    assert room_for_next(unknown) is None
    assert not lacks_room(unknown)


def test_only_the_workers_gpus_are_shown():
    text = "\n".join(lines(readings(gpu(0), gpu(1), worker=worker(device("1")))))
    assert "1 H100" in text
    assert "0 H100" not in text


def test_without_a_gpu_the_host_is_shown():
    text = lines(readings(worker=worker(weights=2.0)))
    assert text[0] == "Host memory (no GPU)"
    assert text[2].split() == ["12/32", "GiB", "38%"]
    assert [line.split()[-1] for line in text[3:]] == ["1.0", "2.0", "0.4", "0.1"]


def test_a_model_on_the_cpu_shows_the_host_beside_an_idle_gpu():
    assert lines(readings(gpu(), worker=worker()))[0].startswith("Host memory")


def test_unknown_is_said():
    assert lines(readings(gpu(used=None, total=None)))[2].split() == ["n/a"]
    assert "n/a" in "\n".join(lines(readings(host=None)))
    assert compact(readings(host=None), Steady(), 60).plain == "RAM n/a  ours n/a"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (60, "VRAM ██▏█████ 20.5/80.0 GiB  ours 20.0"),
        (30, "VRAM ██▏█████ 20.5/80.0 GiB"),
        (20, "VRAM 20.5/80.0 GiB"),
        (14, "20.5/80.0 GiB"),
        (3, "20.5/80.0 GiB"),
    ],
)
def test_the_line_says_less_where_there_is_less_room(width, expected):
    shown = compact(readings(gpu(), worker=worker(device())), Steady(), width).plain
    assert "".join("█" if c in "▏▎▍▌▋▊▉" else c for c in shown) == "".join(
        "█" if c in "▏▎▍▌▋▊▉" else c for c in expected
    )


@pytest.mark.parametrize(
    ("used", "color"), [(60, "$primary"), (65, "$warning"), (74, "$error"), (80, "$error")]
)
def test_a_full_gpu_is_shown_in_other_colors(used, color):
    meter = panel(readings(gpu(used=used), worker=worker(device())), Steady(), 30)[1]
    assert str(meter.spans[0].style) == color


def test_a_wavering_value_keeps_its_digit_and_a_changed_one_does_not():
    steady = Steady()
    base = int(12.05 * GIB)
    shown = {steady.gib("used", base + wave * (20 << 20)) for wave in (0, 1, -1, 0, 1, -2)}
    assert len(shown) == 1
    assert steady.gib("used", int(12.4 * GIB)) == pytest.approx(12.4)
    assert steady.gib("used", None) is None


def test_a_bar_is_exact_to_an_eighth_of_a_cell():
    parts = (Part(1.25, "red"), Part(0.75, "blue"))
    assert bar(parts, 4.0, 4).plain == "█▎██"
    assert [str(span.style) for span in bar(parts, 4.0, 4).spans][:2] == ["red", "red on blue"]
    assert bar(parts, None, 4).plain == "────"
    assert bar((Part(9, "red"),), 4.0, 4).plain == "████"


class Host(App):
    """Counts how often the gauge paints."""

    def __init__(self, **options):
        super().__init__()
        self.readings = 0
        self.report = GpuReport((gpu(),))
        self.gauge = VramGauge(read_gpus=self.read, **options)
        self.paints = 0
        self.render_gauge = render = self.gauge.render

        def counted():
            self.paints += 1
            return render()

        self.gauge.render = counted

    def read(self):
        self.thread = threading.current_thread()
        self.readings += 1
        if isinstance(self.report, Exception):
            raise self.report
        return self.report

    def compose(self):
        with Vertical():
            yield self.gauge


async def until(condition, timeout=5.0):
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


def text(app):
    return str(app.render_gauge())


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr("glm4v_tui.ui.widgets.gauge._PERIOD_S", 0.02)


@pytest.mark.parametrize("is_compact", [False, True])
async def test_it_polls_in_a_thread_and_paints_only_what_changed(fast, is_compact):
    app = Host(compact=is_compact)
    async with app.run_test(size=(120, 20)) as pilot:
        await until(lambda: "20.5" in text(app))
        app.gauge.update_worker(worker(device()))
        await until(lambda: ("ours" in text(app) and "20.0" in text(app)) or "19.5" in text(app))
        await pilot.pause()
        assert app.thread is not threading.main_thread()
        painted, read = app.paints, app.readings
        await until(lambda: app.readings >= read + 10)
        await pilot.pause()
        assert app.paints == painted
        app.report = GpuReport((gpu(used=33.0),))
        await until(lambda: "33.0" in text(app))
        await until(lambda: app.paints > painted)


async def test_a_driver_that_breaks_is_shown_as_none(fast):
    app = Host()
    async with app.run_test(size=(60, 20)):
        await until(lambda: "H100" in text(app))
        app.report = RuntimeError("the bindings broke")
        await until(lambda: "no GPU" in text(app))
        app.report = GpuReport((gpu(),))
        await until(lambda: "H100" in text(app))


async def test_a_driver_that_hangs_does_not_hold_up_the_exit():
    hang = threading.Event()
    app = App()
    try:
        async with asyncio.timeout(5), app.run_test(size=(60, 20)) as pilot:
            asked = threading.Event()

            def read():
                asked.set()
                hang.wait(60)
                return GpuReport()

            await app.mount(VramGauge(read_gpus=read))
            await until(asked.is_set)
            await pilot.pause()
    finally:
        hang.set()


async def test_a_narrow_window_gets_the_shorter_line(fast):
    app = Host(compact=True)
    async with app.run_test(size=(60, 5)) as pilot:
        app.gauge.update_worker(worker(device()))
        await until(lambda: text(app) == "VRAM 20.5/80.0 GiB")
        await pilot.resize_terminal(120, 5)
        await until(lambda: text(app).endswith("ours 20.0"))
        await pilot.resize_terminal(30, 5)
        await until(lambda: text(app) == "20.5/80.0 GiB")


async def test_a_lack_of_room_is_told_once_and_again_after_it_was_over(fast):
    told = []

    class Telling(Host):
        def on_vram_gauge_room_lacking(self, message):
            told.append((message.needed, message.room))

    app = Telling(compact=True)
    app.report = GpuReport((gpu(used=79.5),))
    async with app.run_test(size=(200, 5)) as pilot:
        app.gauge.update_worker(worker(device()))
        app.gauge.update_coming(2 * GIB)
        await until(lambda: told)
        await until(lambda: "next 2.0, free 1.5" in text(app))
        await pilot.pause()
        painted, read = app.paints, app.readings
        await until(lambda: app.readings >= read + 10)
        await pilot.pause()
        assert told == [(2 * GIB, int(1.5 * GIB))]
        assert app.paints == painted
        app.gauge.update_coming(GIB)
        await until(lambda: "next" not in text(app))
        app.gauge.update_coming(3 * GIB)
        await until(lambda: len(told) == 2)
