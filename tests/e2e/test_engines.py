"""Engines elsewhere as a shell script meets them: ask, batch, engines, sent."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field

import pytest
from PIL import Image

from glm4v_tui.bench.figures import percentile
from glm4v_tui.bench.interface import READY, typing_latencies
from glm4v_tui.bench.terminal import Terminal
from tests.chat_server import DONE, ChatServer, Reply, Stream, answer, chunk, models

from .terminal import environment, program

FAR = "http://gpu.example"
PATH = "/v1/chat/completions"
TASK = """
name = "sort"
question = "What is it?"
label_question = "Is it good?"
[fields.kind]
type = "choice"
choices = ["a", "b"]
[[labels]]
name = "good"
answer = "Yes"
when = { kind = "a" }
[[labels]]
name = "bad"
answer = "No"
when = "otherwise"
"""


@dataclass
class Shell:
    """The program beside a server; each in its own thread or process."""

    folder: object
    server: ChatServer
    more: dict = field(default_factory=dict)

    def settings(self, **tables):
        file = self.folder / "glm4v-tui" / "config" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"[engines.{name}]\n{text}\n" for name, text in tables.items()))

    def task(self, text):
        file = self.folder / "glm4v-tui" / "config" / "tasks" / "sort.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def draw(self, count):
        folder = self.folder / "images"
        folder.mkdir(exist_ok=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number:03}.png")
        return folder

    @property
    def environ(self):
        return environment(self.folder) | self.more

    def run(self, *arguments):
        return subprocess.run(
            program(*arguments),
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
        )

    def start(self, *arguments):
        """The same, beside what else is done; to be ended by the test."""
        return subprocess.Popen(
            program(*arguments),
            env=self.environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def shell(tmp_path):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(ChatServer().start(), loop).result(10)
    server.replies = {"/v1/models": models("m", owned_by="vllm"), PATH: answer("A cat.")}
    shell = Shell(tmp_path, server)
    shell.settings(near=f'url = "{server.url}"\nmodel = "m"\nmax_in_flight = 8')
    yield shell
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    with contextlib.suppress(RuntimeError):
        loop.close()


@pytest.fixture
def far(shell):
    """The same server as another host: everything for it comes through a proxy."""
    shell.more = {"http_proxy": shell.server.url, "no_proxy": ""}
    shell.server.replies |= {f"{FAR}{path}": one for path, one in shell.server.replies.items()}
    shell.settings(far=f'url = "{FAR}"\nmodel = "m"')
    return shell


def test_ask_prints_what_a_server_answers(shell, picture):
    done = shell.run("ask", picture, "-q", "What is it?", "--engine", "near")
    assert (done.returncode, done.stdout, done.stderr) == (0, "A cat.\n", "")


def test_where_nobody_can_be_asked_images_stay_until_it_is_said(far, picture):
    refused = far.run("ask", picture, "-q", "?", "--engine", "far")
    assert refused.returncode == 4
    assert "--send-images allow" in refused.stderr
    assert far.server.questions == []
    done = far.run("ask", picture, "-q", "?", "--engine", "far", "--send-images", "allow")
    assert done.stdout == "A cat.\n"
    listed = far.run("sent").stdout
    assert "gpu.example  far: m  160×120" in listed
    assert far.run("sent", picture).stdout == listed
    (sent,) = json.loads(far.run("sent", "--json").stdout)["sent"]
    assert (sent["host"], sent["width"]) == ("gpu.example", 160)
    other = far.folder / "other.png"
    Image.new("RGB", (3, 3)).save(other)
    assert "None of these files" in far.run("sent", other).stdout


def test_an_option_may_forbid_what_the_settings_allow(far, picture):
    far.settings(far=f'url = "{FAR}"\nmodel = "m"\nsend_images = "allow"')
    done = far.run("ask", picture, "-q", "?", "--engine", "far", "--send-images", "never")
    assert done.returncode == 4
    assert far.server.questions == []


def test_no_option_undoes_a_never(far, picture):
    far.settings(far=f'url = "{FAR}"\nmodel = "m"\nsend_images = "never"')
    done = far.run("ask", picture, "-q", "?", "--engine", "far", "--send-images", "allow")
    assert done.returncode == 4
    assert 'send_images = "never"' in done.stderr
    assert far.server.questions == []


def test_an_image_of_a_private_task_stays_here_in_later_runs_and_under_other_names(far, picture):
    far.task(TASK.replace('question = "What', 'is_private = true\nquestion = "What', 1))
    far.settings(
        far=f'url = "{FAR}"\nmodel = "m"',
        near=f'url = "{far.server.url}"\nmodel = "m"',
    )
    far.run("ask", picture, "--task", "sort", "--engine", "near")  # on this machine
    before = len(far.server.questions)
    assert before
    other = far.folder / "other.png"
    shutil.copy(picture, other)
    done = far.run("ask", other, "-q", "?", "--engine", "far", "--send-images", "allow")
    assert "task sort stays on this machine" in done.stderr
    assert len(far.server.questions) == before


def test_no_password_in_a_url_is_listed(shell):
    shell.settings(near='url = "http://user:pa55word@127.0.0.1:9/v1"\nmodel = "m"')
    done = shell.run("engines")
    assert "holds a password" in done.stdout
    assert "pa55word" not in done.stdout + done.stderr


def test_a_private_task_stays_here(far, picture):
    far.task(TASK.replace('question = "What', 'is_private = true\nquestion = "What', 1))
    asked = ("ask", picture, "--task", "sort", "--engine", "far", "--send-images", "allow")
    done = far.run(*asked)
    assert "task sort stays on this machine" in done.stderr
    assert far.server.questions == []
    batch = far.run("batch", far.draw(8), "--task", "sort", "-o", "-", *asked[4:])
    assert "stays on this machine" in batch.stderr
    assert batch.returncode == 4
    assert far.server.questions == []


def test_an_engine_that_there_is_not_and_one_beside_a_model(shell, picture):
    done = shell.run("ask", picture, "-q", "?", "--engine", "nope")
    assert done.returncode == 2
    assert "There are: near." in done.stderr
    done = shell.run("ask", picture, "-q", "?", "--engine", "near", "--model", "x")
    assert done.returncode == 2


def test_batch_asks_as_many_at_a_time_as_it_may_and_keeps_the_order(shell):
    shell.task(TASK)

    def reply(request):
        if request.json["max_tokens"] == 1:
            top = [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -3.0}]
            places = [{"token": "Yes", "logprob": -0.1, "top_logprobs": top}]
            choice = {"message": {"content": "Yes"}, "finish_reason": "length"}
            return Reply({"choices": [choice | {"logprobs": {"content": places}}]})
        return Stream(0.05, chunk('{"kind": "a"}', "stop"))

    shell.server.replies[PATH] = reply
    file = shell.folder / "out.jsonl"
    done = shell.run("batch", shell.draw(30), "--task", "sort", "-o", file, "--engine", "near")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["number"] for one in records] == list(range(1, 31))
    assert {one["label"] for one in records} == {"good"}
    assert records[0]["probabilities"]["good"] == pytest.approx(0.9478, abs=1e-3)
    assert shell.server.most_open == 8


def test_unknown_probabilities_are_none_and_not_made_up(shell):
    shell.task(TASK)

    def reply(request):
        if request.json.get("stream"):
            return answer('{"kind": "a"}')
        return Reply({"choices": [{"message": {"content": "Yes"}, "finish_reason": "length"}]})

    shell.server.replies |= {"/v1/models": models("m"), PATH: reply}
    images = shell.draw(1)
    done = shell.run("batch", images, "--task", "sort", "-o", "-", "--engine", "near")
    record = json.loads(done.stdout)
    assert (record["probabilities"], record["label"], record["error"]) == ({}, "good", None)
    only = shell.run(
        "batch", images, "--task", "sort", "-o", "-", "--engine", "near", "--labels-only"
    )
    record = json.loads(only.stdout)
    assert "not known" in record["error"]["title"]
    assert record["label"] is None
    assert only.returncode == 5


def test_tokens_that_the_server_does_not_count_are_null(shell, picture):
    shell.server.replies |= {
        "/v1/models": models("m"),
        PATH: Stream(chunk("One"), chunk(" two", "stop"), DONE),
    }
    asked = ("ask", picture, "-q", "?", "--json", "--engine", "near")
    told = json.loads(shell.run(*asked).stdout)
    assert told["answer"] == "One two"
    assert told["usage"] == dict.fromkeys(("prompt_tokens", "image_tokens", "completion_tokens"))
    assert told["timing"]["decode_tokens_per_s"] is None
    shell.server.replies[PATH] = answer("One two")
    told = json.loads(shell.run(*asked).stdout)
    counted = {"prompt_tokens": 7, "image_tokens": None, "completion_tokens": 3}
    assert told["usage"] == counted


def test_a_plain_chat_follows_a_task_to_its_engine(shell, picture):
    """Also while the model that the chat began with is still being loaded."""
    shell.task(TASK)
    shell.settings(near=f'url = "{shell.server.url}"\nmodel = "m"\ntasks = ["sort"]')
    shell.server.replies[PATH] = answer('{"kind": "b"}')
    with Terminal(
        program("--plain", picture), environ=shell.environ, cwd=shell.folder, size=(200, 40)
    ) as chat:
        chat.wait_bytes(b"Image 1")
        chat.type("/sort")
        chat.press("enter")
        chat.wait_bytes(b"has an engine of its own")
        chat.wait_bytes(b"/back returns")
        chat.wait_bytes(b"Ready: m")
        chat.wait_bytes(b"Kind")
        since = chat.written
        chat.type("/back")
        chat.press("enter")
        chat.wait_bytes(b"Ready: glm4v-demo", since=since, timeout=60)
    assert len(shell.server.questions) == 1


def test_batch_leaves_no_place_at_the_server_empty(shell):
    """The promise is 95 % of what a bare load generator gets; a quarter of slack on a busy
    machine, and for the first images to be encoded."""
    shell.task(TASK)
    spans = []

    class Timed(Reply):
        async def write(self, writer):
            began = time.monotonic()
            await asyncio.sleep(0.5)
            await super().write(writer)
            spans.append((began, time.monotonic()))

    top = [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -3.0}]
    places = {"content": [{"token": "Yes", "logprob": -0.1, "top_logprobs": top}]}
    choice = {"message": {"content": "Yes"}, "finish_reason": "length", "logprobs": places}
    shell.server.replies[PATH] = Timed({"choices": [choice]})
    shell.settings(near=f'url = "{shell.server.url}"\nmodel = "m"\nmax_in_flight = 32')
    asked = ("--task", "sort", "-o", "-", "--engine", "near", "--labels-only")
    done = shell.run("batch", shell.draw(256), *asked)
    assert done.returncode == 0, done.stderr
    assert shell.server.most_open == 32
    took = max(end for _, end in spans) - min(began for began, _ in spans)
    assert took < 256 / 32 * 0.5 * 1.25


def test_keys_answer_while_thirty_two_other_answers_stream(shell):
    """Twice what is promised: see ``test_figures``."""
    shell.task(TASK)
    words = [piece for word in range(3000) for piece in (chunk(f"word {word} "), 0.01)]

    def reply(request):
        if not request.json.get("stream"):
            return Reply({"choices": [{"message": {"content": "Yes"}, "finish_reason": "length"}]})
        if "response_format" not in request.json:
            return Stream(*words)
        spaces = [piece for _ in range(20) for piece in (chunk(" "), 0.05)]
        return Stream(chunk('{"kind": '), *spaces, chunk('"a"}', "stop"), DONE)

    shell.server.replies[PATH] = reply
    shell.settings(near=f'url = "{shell.server.url}"\nmodel = "m"\nmax_in_flight = 32')
    beside = shell.start(
        *("batch", shell.draw(400), "--task", "sort", "-o", "out.jsonl", "--engine", "near")
    )
    with Terminal(program("--engine", "near"), environ=shell.environ, cwd=shell.folder) as chat:
        chat.wait_bytes(READY)
        chat.wait_quiet(0.5)
        chat.type("Go on.")
        chat.press("enter")
        chat.wait_bytes(b"word 20")
        times = typing_latencies(chat, 60)
        assert beside.poll() is None
        assert shell.server.most_open == 33
    beside.terminate()
    beside.wait(20)
    assert percentile(times, 50) < 2 * 0.030
    assert percentile(times, 95) < 2 * 0.080  # of sixty, the last ones are other programs'


def test_engines_says_what_each_server_is(shell):
    near = f'url = "{shell.server.url}"\nmodel = "m"'
    shell.server.replies["/v1/models"] = models("m", "n", owned_by="sglang", max_model_len=32768)
    shell.settings(near=near, gone='url = "http://127.0.0.1:9"\nmodel = "m"')
    done = shell.run("engines")
    assert "near: m at" in done.stdout
    assert "SGLang, context 32,768" in done.stdout
    assert "also there: n" in done.stdout
    assert "cannot be reached" in done.stdout
    assert done.returncode == 4
    told = json.loads(shell.run("engines", "--json").stdout)["engines"]
    assert [one["server"] for one in told] == ["SGLang", None]
    assert shell.server.questions == []


def test_a_host_that_was_allowed_can_be_forgotten(shell):
    done = shell.run("sent", "--forget", "gpu.example")
    assert done.returncode == 2
    assert "was not allowed" in done.stderr


def test_batch_spreads_over_engines_and_goes_on_without_one_that_is_down(shell):
    shell.task(TASK)

    def reply(request):
        if not request.json.get("stream"):
            return Reply({"choices": [{"message": {"content": "Yes"}, "finish_reason": "length"}]})
        return answer('{"kind": "b"}')

    shell.server.replies[PATH] = reply
    shell.settings(
        near=f'url = "{shell.server.url}"\nmodel = "m"',
        down='url = "http://127.0.0.1:9"\nmodel = "m"',
    )
    file = shell.folder / "out.jsonl"
    named = ("--task", "sort", "-o", file, "--engine", "near,down")
    done = shell.run("batch", shell.draw(20), *named)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["number"] for one in records] == list(range(1, 21))
    assert {one["label"] for one in records} == {"bad"}


def test_a_task_may_have_its_own_engine(shell, picture):
    shell.task(TASK)
    shell.settings(near=f'url = "{shell.server.url}"\nmodel = "m"\ntasks = ["sort"]')
    shell.server.replies[PATH] = answer('{"kind": "b"}')
    done = shell.run("ask", picture, "--task", "sort", "--json")
    assert json.loads(done.stdout)["result"] == {"kind": "b"}
    assert len(shell.server.questions) == 1
