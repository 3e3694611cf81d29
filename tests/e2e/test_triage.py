"""The triage screen in a real terminal: keys that fingers press, and bytes that nobody typed."""

import re

import pytest
from PIL import Image

TASK = """
name = "sort"
summary = "Sorts."
question = "What is it?"

[fields.kind]
type = "choice"
choices = ["good", "bad"]

[[labels]]
name = "good"
key = "g"
when = { kind = "good" }

[[labels]]
name = "bad"
when = { kind = "bad" }
"""

LATE_ANSWERS = [
    pytest.param(b"\x1b[?62;4;22c", id="device attributes"),
    pytest.param(b"\x1b]11;rgb:1a1a/1b1b/1c1c\x1b\\", id="background color"),
    pytest.param(b"\x1b_Gi=31;OK\x1b\\", id="kitty graphics"),
    pytest.param(b"\x1b[6;20;10t", id="cell size"),
    pytest.param(b"\x1bP>|xterm(379)\x1b\\", id="name of the terminal"),
    pytest.param(b"\x1b[?1u", id="kitty keys"),
]


@pytest.fixture
def parts(stage):
    tasks = stage.folder / "glm4v-tui" / "config" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "sort.toml").write_text(TASK)
    folder = stage.folder / "parts"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (60, 40), (40 * number, 80, 120)).save(folder / f"part-{number}.png")
    return folder


@pytest.fixture
def review(stage, parts):
    def start(*arguments, wait="The model says good", **options):
        script = stage.script('{"kind": "good"}')
        terminal = stage.start(
            *("triage", parts, "--task", "sort", "--scripted", script, *arguments),
            wait="Sort",
            **options,
        )
        terminal.wait_for(wait)
        terminal.wait_quiet(0.3)
        return terminal

    return start


def decided(terminal, number, image):
    """Wait until so many are decided and this image is there to be judged."""
    terminal.wait_for(rf"{number} of 6")
    terminal.wait_for(rf"{image + 1}/6 part-{image}")
    terminal.wait_quiet(0.1)


def test_verdicts_one_key_each_and_on_after_the_end(review):
    terminal = review()
    for number, key in enumerate(["a", "x", "1", "g", "space"], 1):
        terminal.press(key)
        decided(terminal, number, number)
    terminal.press("q")
    assert terminal.wait_exit() == 0
    terminal.wait_for("5 of 6 decided, 1 left: the same command goes on there")
    again = review("--resume")
    again.wait_for("5 of 6 · 1 left")
    again.wait_for("6/6 part-5.png")


def test_a_verdict_survives_the_death_of_the_program(review):
    terminal = review()
    terminal.press("x")
    decided(terminal, 1, 1)
    terminal.process.kill()
    terminal.wait_exit()
    review().wait_for("1 of 6 · 5 left")


@pytest.mark.parametrize("answer", LATE_ANSWERS)
def test_a_late_answer_of_the_terminal_is_no_verdict(review, answer):
    terminal = review()
    terminal.send(answer)
    terminal.wait_quiet(0.5)
    terminal.wait_for(r"0 of 6")
    terminal.wait_for(r"1/6 part-0")
    terminal.press("x")
    decided(terminal, 1, 1)


def test_a_late_answer_in_two_portions_is_no_verdict(review):
    terminal = review()
    terminal.send(b"\x1bP>|tmux 3.4")
    terminal.count_bytes(0.3)
    terminal.send(b"a\x1b\\")
    terminal.wait_quiet(0.5)
    terminal.wait_for(r"0 of 6")
    terminal.press("x")
    decided(terminal, 1, 1)


@pytest.mark.parametrize(
    "path",
    [b"/home/max/parts/a 1.png", b"axaxax", "'/data/qualität/1.png'\n".encode(), b"C:\\q\\a.png\r"],
)
def test_a_path_that_is_typed_by_the_terminal_is_no_verdict(review, path):
    terminal = review()
    terminal.send(path)
    terminal.wait_for("Not taken: .* came faster than fingers do")
    terminal.wait_quiet(0.5)
    terminal.wait_for(r"0 of 6")
    terminal.wait_for(r"1/6 part-0")
    assert terminal.process.poll() is None
    terminal.press("x")
    decided(terminal, 1, 1)


def test_a_bracketed_paste_is_no_verdict(review):
    terminal = review()
    terminal.paste("aaa/xx\n111")
    terminal.wait_for("Pasted text gives no verdicts")
    terminal.wait_for(r"0 of 6")


def test_a_held_key_gives_few_verdicts_and_says_so(review):
    terminal = review()
    for _ in range(30):
        terminal.press("x")
        terminal.count_bytes(0.033)
    terminal.wait_for("a key that was held|faster than fingers")
    terminal.wait_quiet(0.5)
    done = re.search(r"(\d) of 6", terminal.screen_text())
    assert int(done[1]) <= 1


def test_nothing_is_written_while_nothing_happens(review):
    terminal = review()
    terminal.wait_quiet(1.0)
    assert terminal.count_bytes(3) == 0


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 60), (40, 12)])
def test_every_size_shows_image_label_and_keys(review, size):
    terminal = review(size=size, wait="good")
    terminal.wait_for(r"1/6 part-0")
    terminal.wait_for(r"▸ 1")
    columns, rows = size
    cells = (terminal.cell(x, y) for x in range(columns) for y in range(rows))
    assert any(cell.bg == "005078" for cell in cells)
    terminal.press("x")
    terminal.wait_for(r"2/6 part-1")


def test_an_unknown_task_is_told_on_the_shell(stage, parts):
    terminal = stage.start("triage", parts, "--task", "srt", wait="")
    assert terminal.wait_exit() == 2
    assert "srt" in terminal.output.decode()


def test_the_keys_of_lightroom(review):
    terminal = review("--keys", "lightroom")
    terminal.press("p")
    decided(terminal, 1, 1)
    terminal.press("u")
    decided(terminal, 0, 0)
