"""kill -9 at random moments: no acknowledged verdict is lost, none is there twice."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from glm4v_tui.store.database import Database
from tests.triage.reviews import images_in, review_of

KILLS = int(os.environ.get("GLM4V_TUI_KILLS", "20"))
ROOT = Path(__file__).parents[2]
FILES = 400


def started(folder, database, first):
    command = [sys.executable, "-m", "tests.triage.scripted_reviewer", folder, database, str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def said_until_killed(process, delay_s):
    """What a reviewer had said when it was killed, line by line; a torn last line is left out."""
    killer = threading.Timer(delay_s, process.send_signal, [signal.SIGKILL])
    killer.start()
    said, _ = process.communicate(timeout=60)
    killer.cancel()
    assert process.returncode in (0, -signal.SIGKILL)
    whole, _, _ = said.decode().rpartition("\n")
    return [line.split() for line in whole.splitlines()]


class Expected:
    """What the store must hold, from what was said alone."""

    def __init__(self):
        self.stack = []  # (number, name, verb) of what stands, in order
        self.numbers = set()
        self.maybe = None  # (verb, number, name) that had begun when the process was killed

    def take(self, lines):
        self.maybe = None
        for word, *rest in lines:
            if word == "begin":
                self.maybe = rest
            elif word == "done":
                self.do(*rest)
                self.maybe = None

    def do(self, verb, number, name):
        if verb == "undo":
            if name != "-":
                assert self.stack.pop()[1] == name
            return
        self.stack.append((int(number), name, verb))
        self.numbers.add(int(number))

    def settle(self, rows):
        """Take what had begun for done where the store has it: it was not acknowledged, and may or
        may not be there."""
        if self.maybe is None:
            return
        verb, number, name = self.maybe
        undos = sum(row["kind"] == "undo" for row in rows)
        if verb == "undo":
            undone = undos > len(self.numbers) - len(self.stack)
            if undone:
                self.stack.pop()
        elif int(number) in {row["seconds"] for row in rows}:
            self.do(verb, number, name)

    def decided(self):
        return {name: verb for _, name, verb in self.stack}


def check(store, expected):
    rows = store.rows("SELECT * FROM verdicts ORDER BY id")
    numbers = [row["seconds"] for row in rows if row["kind"] != "undo"]
    assert len(numbers) == len(set(numbers)), "a verdict is there twice"
    expected.settle(rows)
    assert set(numbers) == expected.numbers, "an acknowledged verdict is missing"
    assert store.rows("PRAGMA integrity_check")[0][0] == "ok"


def test_every_acknowledged_verdict_is_there_once_after_each_kill(tmp_path):
    names = [f"{number}.png" for number in range(FILES)]
    folder, database = images_in(tmp_path / "parts", names), tmp_path / "db.sqlite3"
    chance, expected, acknowledged = random.Random(5), Expected(), 0
    for kill in range(KILLS):
        process = started(folder, database, 1000 * (kill + 1))
        lines = said_until_killed(process, chance.uniform(0.1, 0.7))
        if lines:  # it lands on the first image that has no verdict, by what was said before
            open_names = [name for name in names if name not in expected.decided()]
            assert lines[0] == ["at", open_names[0]]
        expected.take(lines)
        acknowledged += sum(line[0] == "done" for line in lines)
        check(Database(database), expected)
        review = review_of(folder, database)
        given = {name: review.verdict_of(folder / name) for name in names[:60]}
        for name, verdict in given.items():
            said = expected.decided().get(name)
            assert verdict.is_skipped == (said == "skip")
            assert verdict.label == (None if said == "skip" else said)
        if review.progress.left < FILES // 4:  # begin anew before there is nothing to do
            database = tmp_path / f"db{kill}.sqlite3"
            expected = Expected()
    assert acknowledged > 5 * KILLS


def test_three_reviewers_at_once_all_of_them_killed(tmp_path):
    names = [f"{number}.png" for number in range(3 * FILES)]
    folder, database = images_in(tmp_path / "parts", names), tmp_path / "db.sqlite3"
    processes = [started(folder, database, 100_000 * number) for number in (1, 2, 3)]
    said = [said_until_killed(process, 1.0) for process in processes]
    rows = Database(database).rows("SELECT seconds FROM verdicts WHERE kind != 'undo'")
    there = [int(row["seconds"]) for row in rows]
    done = [line for lines in said for line in lines if line[0] == "done" and line[1] != "undo"]
    assert len(there) == len(set(there))
    assert {int(line[2]) for line in done} <= set(there)
    assert done
