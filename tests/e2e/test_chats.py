"""Conversations of the real program: killed, started again, listed, exported."""

import json
import re
import signal
import sqlite3
import subprocess

import pytest

from .stage import ask
from .terminal import environment, program, wait_gone

SLOW = {"text": "one two three four five six seven eight nine ten. ", "repeat": 60,
        "tokens_per_s": 60.0}  # fmt: skip


def database(stage):
    return stage.folder / "glm4v-tui" / "data" / "glm4v-tui.sqlite3"


def stored(stage):
    """The newest answer as another process finds it on the disk."""
    with sqlite3.connect(database(stage)) as connection:
        query = "SELECT raw FROM turns ORDER BY number DESC LIMIT 1"
        return (connection.execute(query).fetchone() or ("",))[0]


def command(stage, *arguments, **options):
    return subprocess.run(
        program(*arguments), env=environment(stage.folder), cwd=stage.folder,
        capture_output=True, text=True, timeout=60, **options,
    )  # fmt: skip


@pytest.fixture
def killed(stage, picture):
    """A chat whose interface was killed while an answer streamed; what was on the disk then."""
    chat = stage.start("--scripted", stage.script("A red square.", SLOW), picture)
    chat.wait_for("red square.png")
    ask(chat, "What is it?")
    chat.wait_for("A red square")
    ask(chat, "Count for me")
    chat.wait_until(lambda: len(stored(stage)) > 100, 20, "an answer on the disk")
    children = chat.children()
    chat.process.send_signal(signal.SIGKILL)
    chat.process.wait()
    wait_gone(children)
    return stored(stage)


def test_a_chat_killed_while_it_answers_is_offered_and_resumed(stage, killed):
    assert killed.startswith("one two three")
    second = stage.play("Here again.")
    second.wait_for("The last chat was cut off")
    second.press("ctrl+q")
    second.process.wait(timeout=10)
    third = stage.start("--resume", "--scripted", stage.script("Here again."), wait="Count for me")
    third.wait_for("The program ended before its answer was whole")
    assert killed[-20:].split()[-2] in third.screen_text()
    ask(third, "Are you back?")
    third.wait_for("Here again")
    third.press("ctrl+q")
    third.process.wait(timeout=10)
    shown = command(stage, "chats", "show", "1").stdout
    assert re.findall(r"\] (.*\?|Count for me)$", shown, re.MULTILINE) == [
        *("What is it?", "Count for me", "Are you back?")
    ]
    assert "image: red square.png, 160×120" in shown


def test_a_full_disk_is_told_and_the_chat_goes_on(stage):
    limited = ["sh", "-c", 'ulimit -f 100; exec "$@"', "-"]
    chat = stage.start(argv=[*limited, *program("--scripted", stage.script("An answer."))])
    ask(chat, "Is there room? " + "x" * 80)
    chat.wait_for("An answer")
    for _ in range(8):
        ask(chat, "And now?")
        chat.wait_gone("answering")
        if "not kept" in chat.screen_text():
            break
    chat.wait_for("This chat is not kept")
    ask(chat, "Still there?")
    chat.wait_for(r"Still there\?[^?]*An answer")


def test_chats_without_the_screen(stage, killed):
    assert "What is it?" in command(stage, "chats").stdout
    assert "What is it?" in command(stage, "chats", "search", "thre").stdout
    assert command(stage, "chats", "search", "what is").stdout.count("What is it?") == 1
    found = json.loads(command(stage, "chats", "search", "red squ", "--json").stdout)["chats"]
    assert (found[0]["number"], found[0]["title"]) == (1, "What is it?")
    assert command(stage, "chats", "rename", "1", "Red things").returncode == 0
    assert "Red things" in command(stage, "chats", "list").stdout
    deleted = command(stage, "chats", "delete", "1")
    assert "chats restore 1" in deleted.stdout
    assert "No chat was kept yet" in command(stage, "chats").stdout
    assert "Red things" in command(stage, "chats", "list", "--deleted").stdout
    command(stage, "chats", "restore", "1")
    for name in ("talk.md", "talk.html", "talk.jsonl"):
        assert command(stage, "chats", "export", "1", "-o", name).returncode == 0
    (stage.folder / "talk.md").write_text("mine")
    kept = command(stage, "chats", "export", "1", "-o", "talk.md")
    assert (kept.returncode, (stage.folder / "talk.md").read_text()) == (2, "mine")
    assert "--force" in kept.stderr
    assert command(stage, "chats", "export", "1", "-o", "talk.md", "--force").returncode == 0
    assert "![red square" in (stage.folder / "talk.md").read_text()
    assert len(list((stage.folder / "talk-images").iterdir())) == 1
    assert "data:image/jpeg;base64," in (stage.folder / "talk.html").read_text()
    lines = (stage.folder / "talk.jsonl").read_text().splitlines()
    assert json.loads(lines[1])["answer"] == killed
    wrong = command(stage, "chats", "show", "9")
    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (2, "There is no chat 9")
    assert command(stage, "chats", "export", "-o", "x.pdf").returncode == 2
    assert command(stage, "chats", "export", "-o", "no/such/x.md").returncode == 2
    command(stage, "chats", "delete", "1", "--now")
    assert command(stage, "chats", "restore", "1").returncode == 2


def test_without_a_screen_a_chat_is_kept_and_resumed(stage):
    def plain(*arguments, said):
        script = stage.script("An answer.")
        run = command(stage, "--plain", "--scripted", script, *arguments, input=said)
        assert run.returncode == 0, run.stderr
        return run.stdout

    plain(said="Is it?\n")
    assert "You: Is it?" in plain("--resume", said="/chats answer\nAnd now?\n/open 7\n")
    assert "There is no chat 7." in plain(said="/open 7\n/open x\n")
    assert "1, " in plain(said="/chats\n")
    database(stage).write_bytes(b"x" * 9000)
    said = plain(said="Still?\n")
    assert "This chat is not kept.\nThe database is damaged" in said
    assert "An answer." in said
