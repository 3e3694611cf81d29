"""What is known of the terminal without asking it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import msgspec
import pytest

from glm4v_tui.terminal import (
    TerminalFacts,
    color_system,
    set_color_system,
    terminal_facts,
    wants_truecolor,
)


@pytest.mark.parametrize(
    "env",
    [
        {"TERM": "xterm-256color"},  # over SSH: COLORTERM is lost
        {"TERM": "xterm"},
        {"TERM": "xterm-kitty"},
        {"TERM": "tmux-256color", "TMUX": "/tmp/x,1,0"},
        {"TERM": "screen", "TMUX": "/tmp/x,1,0"},
        {"TERM": "foot", "COLORTERM": "truecolor"},
        {"TERM": "screen-256color", "STY": "1.pts", "COLORTERM": "truecolor"},
    ],
)
def test_true_color_where_it_works(env):
    assert wants_truecolor(env)
    assert color_system(env) == "truecolor"


@pytest.mark.parametrize(
    ("env", "system"),
    [
        ({"TERM": "linux"}, "standard"),
        ({"TERM": "vt100"}, "standard"),
        ({"TERM": "dumb"}, "standard"),
        ({}, "standard"),
        ({"TERM": "xterm-16color"}, "standard"),
        ({"TERM": "rxvt-unicode-256color"}, "256"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "256"),
        ({"TERM": "screen-256color", "STY": "1.pts"}, "256"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "256"),
    ],
)
def test_fewer_colors_where_it_does_not(env, system):
    assert not wants_truecolor(env)
    assert color_system(env) == system


def test_the_users_word_goes_first():
    env = {"TERM": "linux", "TEXTUAL_COLOR_SYSTEM": "256"}
    assert color_system(env, "truecolor") == "256"
    assert color_system({"TERM": "xterm"}, "16") == "standard"
    assert color_system({"TERM": "linux"}, "truecolor") == "truecolor"


def test_textual_is_told_through_its_environment():
    env = {"TERM": "xterm-256color", "SSH_TTY": "/dev/pts/3"}
    set_color_system(env)
    assert env["TEXTUAL_COLOR_SYSTEM"] == "truecolor"


def test_facts_from_the_environment():
    facts = terminal_facts(
        {
            "TERM": "tmux-256color",
            "TMUX": "/tmp/x,1,0",
            "TERM_PROGRAM": "tmux",
            "TERM_PROGRAM_VERSION": "3.3a",
            "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22",
            "LANG": "en_US.UTF-8",
            "LC_ALL": "C",
        }
    )
    assert (facts.multiplexer, facts.program) == ("tmux", "tmux 3.3a")
    assert facts.is_ssh
    assert not facts.is_utf8


def test_facts_of_a_real_terminal_without_a_byte_written_to_it():
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 1000, 800))
    code = (
        "import sys, msgspec; from glm4v_tui.terminal import terminal_facts;"
        "sys.stdout.buffer.write(msgspec.json.encode(terminal_facts()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=slave, stderr=slave, stdout=subprocess.PIPE, check=True
    )
    facts = msgspec.json.decode(done.stdout, type=TerminalFacts)
    assert facts.is_tty
    assert (facts.columns, facts.rows) == (100, 40)
    assert (facts.cell_width, facts.cell_height) == (10, 20)
    os.set_blocking(master, False)
    with pytest.raises(BlockingIOError):
        os.read(master, 1)


def test_a_terminal_without_a_size_is_no_fault():
    code = "from glm4v_tui.terminal import terminal_facts; print(terminal_facts().columns)"
    _, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=slave, stderr=slave, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == b"None\n"
