"""The chat from start to end in a real terminal, with answers from a script."""

import os
import re
import signal
from pathlib import Path

import pytest

from .stage import READY, ask
from .terminal import wait_gone

SLOW = {"text": "one two three four five six seven eight nine ten. ", "repeat": 40}
HOSTILE = "\x1b]0;PWNED\x07\x1b[31mred\x1b[2J\x1b[6n\x9b32m\x1bP1$r\x1b\\\x90q\x9c\u202egnp.txt"
HOSTILE_BYTES = (
    b"PWNED\x07",
    b"\x1b]0;",
    b"\x1b[31m",
    b"\x1b[6n",
    b"\x1bP",
    b"\xc2\x9b",
    b"\xc2\x90",
    b"\xe2\x80\xae",
)


def test_a_question_is_answered_and_asked_on(stage):
    chat = stage.play("It is a **red** square.\n\n- one\n- two\n", "It is blue.")
    ask(chat, "What is it?")
    chat.wait_for("It is a red square.")
    chat.wait_for("• two")
    chat.wait_for("ready")
    ask(chat, "And the other?")
    chat.wait_for("It is blue.")
    assert "What is it?" in chat.screen_text()


def test_a_question_asked_while_loading_waits_visibly(stage):
    chat = stage.play("Here I am.", load_s=3.0)
    chat.wait_for("loading")
    ask(chat, "Are you there?")
    chat.wait_for("queued +Are you there")
    chat.wait_for("Here I am.")
    chat.wait_gone("queued")


def test_what_is_typed_before_the_first_screen_is_there_is_kept(stage):
    chat = stage.play("Yes.", wait="")
    chat.type("typed at once")
    chat.wait_for("typed at once +│", timeout=30)


def test_typing_goes_on_while_an_answer_arrives(stage):
    chat = stage.play(SLOW | {"tokens_per_s": 100.0}, "Second.")
    ask(chat, "Count.")
    chat.wait_for("one two three")
    ask(chat, "And then?")
    chat.wait_for("queued +And then")
    chat.press("escape")
    chat.wait_for("stopped")
    chat.wait_for("Second.")


def test_page_up_goes_back_and_a_new_question_returns_to_the_end(stage):
    chat = stage.play("First line.\n\n" + "- item\n" * 60 + "\nLast line.", "Short.")
    ask(chat, "Make a list.")
    chat.wait_for("Last line.")
    for _ in range(4):
        chat.press("pageup")
        chat.wait_quiet(0.3)
    chat.wait_for("First line.")
    ask(chat, "Again?")
    chat.wait_for("Short.")


def test_escape_stops_and_keeps_what_was_written(stage):
    chat = stage.play(SLOW | {"tokens_per_s": 20.0}, "Fine.")
    ask(chat, "Count.")
    chat.wait_for("one two")
    chat.press("escape")
    chat.wait_for("stopped")
    chat.wait_for("one two")
    ask(chat, "Still there?")
    chat.wait_for("Fine.")


def test_ctrl_c_stops_the_answer_and_leaves_when_pressed_twice(stage):
    chat = stage.play(SLOW | {"tokens_per_s": 20.0})
    ask(chat, "Count.")
    chat.wait_for("one two")
    chat.press("ctrl+c")
    chat.wait_for("stopped")
    chat.wait_quiet(0.3)
    chat.press("ctrl+c")
    chat.press("ctrl+c")
    assert chat.wait_exit() == 130
    assert_restored(chat)


def test_ctrl_q_leaves_and_gives_the_terminal_back(stage):
    chat = stage.play("Yes.")
    chat.press("ctrl+q")
    assert chat.wait_exit() == 0
    assert_restored(chat)


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_gives_the_terminal_back(stage, ends):
    chat = stage.play("Yes.")
    chat.process.send_signal(ends)
    assert chat.wait_exit(10) != 0
    assert_restored(chat)


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.3])
def test_ctrl_c_while_it_starts_is_no_traceback(stage, delay):
    import time

    chat = stage.play("Yes.", wait="")
    time.sleep(delay)  # there is nothing to wait for yet: that is the point
    chat.press("ctrl+c")
    chat.press("ctrl+c")
    time.sleep(0.5)
    for _ in range(3):
        if chat.process.poll() is None:
            chat.press("ctrl+c")
    chat.wait_exit()
    # Before the first line of the program is read, Python itself answers to Ctrl+C.
    assert b"Traceback" not in chat.output or b"glm4v_tui" not in chat.output


def assert_restored(terminal):
    """The screen before, the cursor, no mouse reports, no bracketed paste, no stray text."""
    output = bytes(terminal.output)
    for on, off in [
        (b"\x1b[?1049h", b"\x1b[?1049l"),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?1003h", b"\x1b[?1003l"),
        (b"\x1b[?2004h", b"\x1b[?2004l"),
    ]:
        assert output.rfind(off) > output.rfind(on) > -1, off
    assert b"Traceback" not in output


@pytest.mark.parametrize("text", ["{}", "'{}'", '"{}"', "file://{url}", "{escaped} "])
def test_a_dropped_path_becomes_an_image(stage, picture, text):
    chat = stage.play("A square.")
    escaped = str(picture).replace(" ", "\\ ")
    url = str(picture).replace(" ", "%20")
    chat.paste(text.format(picture, escaped=escaped, url=url))
    chat.wait_for("red square.png")
    chat.wait_for("160×120")
    ask(chat, "What is it?")
    chat.wait_for("A square.")


def test_a_path_of_another_host_is_told_and_not_sent(stage):
    chat = stage.play("Yes.")
    chat.paste("/Users/ann/Desktop/photo 1.png")
    chat.wait_for("scp ")
    chat.press("enter")
    chat.wait_quiet(0.5)
    assert READY in chat.screen_text()


def test_images_named_on_the_command_line_are_attached(stage, picture):
    chat = stage.start(picture, "--scripted", stage.script("A square."))
    chat.wait_for("red square.png")
    ask(chat, "What is it?")
    chat.wait_for("A square.")


def test_keys_that_come_in_one_burst_keep_their_order(stage):
    """On a slow line Enter and the letters after it arrive together."""
    chat = stage.play("First.", "Second.")
    chat.send(b"one\rtwo")
    chat.wait_for("First.")
    chat.wait_for(r"│ two ")
    chat.press("enter")
    chat.wait_for("Second.")
    questions = [line for line in chat.screen_lines() if re.search(r"█ (one|two)\s", line)]
    assert len(questions) == 2


# What comes from outside ------------------------------------------------------------------------


def assert_harmless(terminal):
    for sequence in HOSTILE_BYTES:
        assert sequence not in terminal.output, sequence


def test_an_answer_cannot_reach_the_terminal(stage):
    chat = stage.play(f"before {HOSTILE} after\n\n```\n{HOSTILE}\n```\n", "Still here.")
    ask(chat, "What is it?")
    chat.wait_for("before .*after")
    assert_harmless(chat)
    ask(chat, "And now?")
    chat.wait_for("Still here.")


def test_an_answer_is_not_markup(stage):
    chat = stage.play("[bold red]not markup[/] [@click=app.quit]press[/] [/nothing]")
    ask(chat, "[red]What[/red] is [/it]?")
    chat.wait_for(re.escape("[bold red]not markup[/]"))
    chat.wait_for(re.escape("[red]What[/red] is [/it]?"))


def test_a_file_name_cannot_reach_the_terminal(stage, picture):
    name = f"{HOSTILE.replace('/', '')}[bold]x.png"
    hostile = picture.rename(picture.with_name(name))
    chat = stage.start(hostile, "--scripted", stage.script("A square."))
    chat.wait_for(r"red.*\[bold\]x\.png")
    ask(chat, "What is it?")
    chat.wait_for("A square.")
    assert_harmless(chat)


def test_file_names_in_the_picker_cannot_reach_the_terminal(stage, picture):
    folder = stage.folder / "hostile"
    folder.mkdir()
    picture.rename(folder / f"{HOSTILE.replace('/', '')}[bold]x.png")
    (folder / "[red]sub[red]\x1b[31m").mkdir()
    chat = stage.start(folder, "--scripted", stage.script("Yes."), wait=r"\[bold\]x\.png")
    chat.press("down")
    chat.wait_quiet(0.7)
    chat.wait_for(r"\[red\]sub")
    assert_harmless(chat)


def test_bytes_that_are_no_name_are_a_name(stage, picture):
    hostile = os.fsencode(stage.folder) + b"/caf\xe9 \xff.png"
    os.rename(picture, hostile)  # noqa: PTH104 - a name that no Path was made from
    chat = stage.start("--scripted", stage.script("A square."), os.fsdecode(hostile))
    chat.wait_for(r"caf. ..png")
    ask(chat, "What is it?")
    chat.wait_for("A square.")


# Windows and terminals --------------------------------------------------------------------------


def test_a_small_window_is_usable(stage, picture):
    chat = stage.start(picture, "--scripted", stage.script("A square."), size=(60, 20), wait="")
    chat.wait_for("red square.png")
    chat.wait_for("Ask about")
    ask(chat, "What is it?")
    chat.wait_for("A square.")
    chat.press("f1")
    chat.wait_for("(?i)help|keys")
    chat.press("escape")
    chat.wait_for("A square.")


def test_a_window_that_changes_its_size_keeps_everything(stage):
    chat = stage.play(SLOW | {"tokens_per_s": 100.0, "repeat": 12, "text": "word " * 5 + "end. "})
    ask(chat, "Count.")
    for size in [(60, 20), (200, 60), (30, 8), (120, 40)]:
        chat.resize(*size)
        chat.wait_quiet(0.05)
    chat.wait_for("tok/s")
    chat.wait_for("Count.")
    chat.wait_for("word word")


def test_a_terminal_that_can_nothing_gets_no_sequences(stage):
    chat = stage.play("A square.", wait="", TERM="dumb", COLORTERM=None)
    chat.wait_for("/help")
    chat.type("What is it?\r")
    chat.wait_for("A square.")
    chat.press("ctrl+d")
    assert chat.wait_exit() == 0
    assert b"\x1b" not in chat.output


def test_plain_only_ever_appends(stage, picture):
    chat = stage.start("--plain", picture, "--scripted", stage.script("A square.\nRed."), wait="")
    chat.wait_for("red square.png")
    chat.type("What is it?\r")
    chat.wait_for("Red.")
    chat.type("/quit\r")
    assert chat.wait_exit() == 0
    assert b"\x1b" not in chat.output
    assert b"\r\r" not in chat.output


def test_plain_leaves_with_ctrl_c(stage):
    chat = stage.start("--plain", "--scripted", stage.script("Yes."), wait="/help")
    chat.press("ctrl+c")
    assert chat.wait_exit() == 130
    assert b"Traceback" not in chat.output


def test_without_a_terminal_it_says_what_to_do(stage):
    import subprocess

    from .terminal import environment, program

    done = subprocess.run(
        program("--scripted", stage.script("Yes.")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(stage.folder),
        timeout=30,
    )
    assert done.returncode == 2
    assert "--plain" in done.stderr
    assert "Traceback" not in done.stderr


# Processes --------------------------------------------------------------------------------------


def test_two_instances_do_not_disturb_each_other(stage, picture):
    one, two = (stage.start(picture, "--scripted", stage.script("Yes.")) for _ in range(2))
    for chat, question in [(one, "From one?"), (two, "From two?")]:
        ask(chat, question)
        chat.wait_for("Yes.")
    assert "From two" not in one.screen_text()
    for chat in (one, two):
        chat.press("ctrl+q")
        assert chat.wait_exit() == 0
    third = stage.play("Yes.")
    third.wait_quiet(0.5)  # earlier questions are read after the first frame
    third.press("up")
    third.wait_for("From (one|two)")


def test_the_interface_holds_no_model_library(stage):
    chat = stage.play("Yes.")
    ask(chat, "What is it?")
    chat.wait_for("Yes.")
    maps = Path(f"/proc/{chat.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "tokenizers" not in maps


def test_nothing_is_left_over(stage):
    chat = stage.play("Yes.")
    children = chat.children()
    chat.hang_up()
    chat.wait_exit(10)
    wait_gone(children)
