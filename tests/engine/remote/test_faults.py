"""What goes wrong at servers: every fault ends a request with a reason and a remedy."""

import asyncio
import socket
import ssl
import subprocess
import time

import pytest

from glm4v_tui.engine.protocol import (
    Failed,
    FailureKind,
    Finished,
    Loaded,
    LoadModel,
    error_of,
)
from glm4v_tui.engine.remote.address import Address, names_this_machine
from glm4v_tui.errors import GlmError, ImageError, ServerError, SettingsError, WithheldError
from glm4v_tui.session import ChatSession, ModelState, TurnState
from tests.chat_server import DONE, ChatServer, Drop, Reply, Stall, Stream, answer, chunk, models

PATH = "/v1/chat/completions"


def error(message, **more):
    return {"error": {"message": message, **more}}


CASES = {
    "401": (Reply(error("no such key"), 401), "does not accept the key (401)"),
    "404": (Reply(error("The model `m` does not exist."), 404), "does not know m"),
    "413": (Reply("", 413), "too large"),
    "429": (Reply(error("slow down"), 429), "too much to do (429)"),
    "500": (Reply("boom", 500), "failed (500)"),
    "502": (Reply(text="<html>Bad gateway</html>", status=502, kind="text/html"), "failed (502)"),
    "400": (Reply(error("too long"), 400), "does not take the question (400)"),
    "422": (Reply({"detail": [{"msg": "extra field"}]}, 422), "does not take the question (422)"),
    "no images": (
        Reply(error("image input is not supported - hint: you may need the mmproj"), 500),
        "does not take the question (500)",
    ),
    "dropped": (Drop(), "without an answer"),
    "told": (Stream(chunk("a"), b'data: {"error": "CUDA out of memory"}\n\n'), "failed while it"),
    "no json": (Stream(chunk("a"), b"data: {nope\n\n"), "is not understood"),
    "no text": (Stream(b'data: {"choices": [{"delta": {"content": 7}}]}\n\n'), "is not understood"),
    "a page": (Reply(text="<html>", kind="text/html"), "not understood"),
    "nested": (Stream(b"data: " + b"[" * 100_000 + b"\n\n"), "is not understood"),
    "moved": (Reply("", 302, {"location": "/login"}), "to another place"),
    "abort": (Stream(chunk("a", "abort"), DONE), "was cut off"),
    "filter": (Stream(chunk("a", "content_filter"), DONE), "was cut off"),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_fault_ends_the_question_with_title_reason_and_remedy(server, person_at, name):
    reply, title = CASES[name]
    server.replies[PATH] = reply
    person = person_at(server.url)
    await person.load()
    _, end = await person.ask()
    assert isinstance(end, Failed)
    assert title in end.title
    assert end.remedy
    assert isinstance(error_of(end), GlmError)
    assert "<html" not in f"{end.title}{end.body}"


async def test_what_the_server_says_is_told_without_its_control_characters(server, person_at):
    server.replies[PATH] = Reply(error("no \x1b[31mkey"), 401)
    person = person_at(server.url)
    await person.load()
    _, end = await person.ask()
    assert end.body == "no key"


KEY = "sk-0123456789"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(error(f"Incorrect API key: Bearer {KEY}"), 401),
        Stream(chunk("A "), f'data: {{"error": "not {KEY}"}}\n\n'.encode()),
    ],
)
async def test_a_key_that_the_server_repeats_is_not_shown(server, person_at, monkeypatch, reply):
    monkeypatch.setenv("THE_KEY", KEY)
    server.replies[PATH] = reply
    person = person_at(server.url, api_key_env="THE_KEY")
    await person.load()
    _, end = await person.ask()
    assert "***" in end.body
    assert KEY not in f"{end}"


@pytest.mark.parametrize("pieces", [(chunk("Half a w"),), (chunk("Half a w"), b'data: {"cho')])
async def test_a_stream_that_is_cut_keeps_what_came_and_says_so(server, person_at, pieces):
    server.replies[PATH] = Stream(*pieces, ends=False)
    person = person_at(server.url)
    session, _ = await session_of(person)
    turn = await session.submit("?")
    await over(person, session, turn)
    assert (turn.state, turn.raw) == (TurnState.FAILED, "Half a w")
    assert "was cut off" in turn.error.title
    assert turn.is_remembered  # the partial answer belongs to the conversation
    assert len(server.questions) == 1  # an answer that has begun is not asked for twice


@pytest.mark.parametrize("reply", [Stall(), Stream(30), Stream(chunk("Half"), 30)])
async def test_silence_ends_at_the_timeout(server, person_at, reply):
    server.replies[PATH] = reply
    person = person_at(server.url, timeout=0.2)
    await person.load()
    began = time.monotonic()
    _, end = await person.ask()
    assert "said nothing for 0.2 s" in end.title
    assert time.monotonic() - began < 2


async def test_comments_that_keep_a_connection_open_are_silence(server, person_at):
    server.replies[PATH] = Stream(*[b": wait\n\n", 0.02] * 200)
    person = person_at(server.url, timeout=0.2)
    await person.load()
    _, end = await person.ask()
    assert "said nothing" in end.title


async def test_a_server_that_writes_on_and_on_is_ended(server, person_at, greedy):
    server.replies[PATH] = Stream(*[chunk("x" * 10_000)] * 1000)
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask(sampling=greedy)
    assert "does not stop" in end.title
    assert len(text) < 100_000


async def test_what_passes_is_tried_again_and_told_once(server, person_at):
    replies = iter([Reply("", 503), Drop(), Reply("", 429, {"retry-after": "0"}), answer()])
    server.replies[PATH] = lambda _: next(replies)
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask()
    assert isinstance(end, Finished)
    assert (text, len(server.questions)) == ("A cat.", 4)


async def test_a_rest_longer_than_our_patience_is_told_at_once(server, person_at):
    server.replies[PATH] = Reply("", 429, {"retry-after": "3600"})
    person = person_at(server.url)
    await person.load()
    _, end = await person.ask()
    assert "3600 s of rest" in end.body
    assert len(server.questions) == 1


async def test_a_server_that_is_down_is_named_and_found_again(person_at):
    """The question that waits behind the one that found out is asked when it is back."""
    server = await ChatServer().start()
    server.replies = {"/v1/models": models("m"), PATH: Drop()}
    person = person_at(server.url)
    session, _ = await session_of(person)
    port = server.port
    await server.stop()
    first = await session.submit("First?")
    second = await session.submit("Second?")
    await over(person, session, first)
    assert "cannot be reached" in first.error.title
    assert (second.state, session.model_state) == (TurnState.QUEUED, ModelState.FAILED)
    server = ChatServer({"/v1/models": models("m"), PATH: answer()})
    await server.start(port=port)
    await over(person, session, second)
    assert second.raw == "A cat."
    again = await session.regenerate(first)
    await over(person, session, again)
    assert again.raw == "A cat."
    await server.stop()


async def test_a_server_that_still_loads_its_model_is_waited_for(server, person_at):
    loading = Reply(error("Loading model", code=503), 503)
    replies = iter([loading, loading, models("m")])
    server.replies["/v1/models"] = lambda _: next(replies)
    person = person_at(server.url)
    assert "is not ready yet" in (await person.load()).title
    assert isinstance(await person.until(Loaded, Failed), Loaded)


async def test_nobody_listens_and_no_such_name():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}", "http://no-such-host.invalid"):
            failed = await _load_alone(url)
            assert failed.kind is FailureKind.SERVER
            assert "cannot be reached" in failed.title


async def test_an_untrusted_certificate_is_refused_before_anything_is_sent(tls, person_at):
    server, certificate = tls
    url = f"https://localhost:{server.port}"
    failed = await person_at(url).load()
    assert "certificate" in failed.title
    assert "tls =" in failed.remedy
    assert server.arrived == []
    for trusted in (str(certificate), "off"):
        person = person_at(url, tls=trusted)
        assert isinstance(await person.load(), Loaded)
        assert (await person.ask())[0] == "A cat."


async def test_https_to_a_server_that_speaks_http(person_at):
    async def refuse(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        failed = await person_at(f"https://127.0.0.1:{port}").load()
    assert "No encrypted connection" in failed.title


async def test_certificates_that_cannot_be_read_are_named(person_at, tmp_path):
    failed = await person_at("https://127.0.0.1:1", tls=str(tmp_path / "none.pem")).load()
    assert "none.pem" in failed.body


async def test_a_redirect_to_another_host_is_refused_and_nothing_is_sent_there(server, person_at):
    other = await ChatServer({PATH: answer()}).start()
    server.replies[PATH] = Reply("", 307, {"location": f"{other.url}{PATH}"})
    person = person_at(server.url)
    await person.load()
    _, end = await person.ask("?", await person.show())
    assert isinstance(error_of(end), WithheldError)
    assert "Its images stay here" in end.body
    assert other.arrived == []
    await other.stop()


async def test_a_redirect_on_the_same_server_is_followed(server, person_at):
    server.replies["/moved"] = answer()
    server.replies[PATH] = Reply("", 308, {"location": "/moved"})
    person = person_at(server.url)
    await person.load()
    assert (await person.ask())[0] == "A cat."


async def test_redirects_in_a_circle_end(server, person_at):
    server.replies[PATH] = Reply("", 308, {"location": PATH})
    person = person_at(server.url)
    await person.load()
    _, end = await person.ask()
    assert isinstance(end, Failed)
    assert len(server.questions) == 4


async def test_a_question_that_is_too_large_is_not_sent(server, person_at):
    person = person_at(server.url, max_request_mb=0.0001)
    await person.load()
    _, end = await person.ask("?" * 100, await person.show())
    assert isinstance(error_of(end), ImageError)
    assert "Nothing was sent" in end.body
    assert server.questions == []


async def test_ipv6_is_spoken_where_the_url_says_so(person_at):
    server = ChatServer({"/v1/models": models("m"), PATH: answer()})
    try:
        await server.start("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    person = person_at(f"http://[::1]:{server.port}/v1")
    loaded = await person.load()
    assert loaded.model.host == f"[::1]:{server.port}"
    assert not loaded.model.is_elsewhere
    assert (await person.ask())[0] == "A cat."
    await server.stop()


async def test_other_hosts_are_reached_through_the_proxy_of_the_environment(person_at, monkeypatch):
    proxy = ChatServer({"http://gpu.example/v1/models": models("m")})
    proxy.replies["http://gpu.example/v1/chat/completions"] = answer()
    await proxy.start()
    monkeypatch.setenv("http_proxy", proxy.url)
    person = person_at("http://gpu.example", send_images="allow")
    loaded = await person.load()
    assert (await person.ask())[0] == "A cat."
    assert (loaded.model.host, loaded.model.is_elsewhere) == ("gpu.example", True)
    await proxy.stop()


async def test_this_machine_is_never_reached_through_a_proxy(server, person_at, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    person = person_at(server.url)
    assert isinstance(await person.load(), Loaded)


def test_what_the_environment_says_of_proxies_is_kept_to(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:pass@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "near.example")
    far, near = Address.of("https://far.example"), Address.of("https://near.example")
    assert (far.proxy_host, near.proxy) == ("proxy.example", None)
    assert Address.of("https://far.example", "off").proxy is None


@pytest.mark.parametrize(
    "url", ["", "gpu", "ftp://x", "http://", "http://x:port", "http://[::1", "http://me:pw@x"]
)
def test_urls_that_are_none_are_refused(url):
    with pytest.raises(SettingsError):
        Address.of(url)


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("", "/v1"),
        ("/v1/chat/completions", "/v1"),
        ("/v1/chat/completions/", "/v1"),
        ("/chat/completions", "/v1"),
        ("/api/v3/chat/completions", "/api/v3"),
        ("/openai/", "/openai"),
    ],
)
def test_an_address_is_taken_as_it_is_pasted(path, base):
    assert Address.of(f"http://gpu.example:8000{path}").base == f"http://gpu.example:8000{base}"


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("evil.localhost", False),
        ("127.0.0.1.nip.io", False),
    ],
)
def test_only_what_can_be_nothing_else_is_this_machine(host, is_here):
    assert names_this_machine(host) is is_here


async def test_the_images_of_a_question_that_failed_go_with_the_next(server, person_at):
    replies = iter([Reply("", 401), answer()])
    server.replies[PATH] = lambda _: next(replies)
    person = person_at(server.url)
    session, image = await session_of(person)
    first = await session.submit("?", [image])
    await over(person, session, first)
    assert isinstance(first.error, ServerError)
    second = await session.submit("Again?")
    await over(person, session, second)
    assert len(server.questions[1].json["messages"][-1]["content"]) == 2


async def test_the_images_of_a_question_that_was_refused_do_not(server, person_at):
    """They may be why."""
    replies = iter([Reply(error("the image is broken"), 400), answer()])
    server.replies[PATH] = lambda _: next(replies)
    person = person_at(server.url)
    session, image = await session_of(person)
    first = await session.submit("?", [image])
    await over(person, session, first)
    second = await session.submit("Again?")
    await over(person, session, second)
    assert server.questions[1].json["messages"][-1]["content"] == "Again?"


# Help -------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path):
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-keyout", str(key), "-out", str(file), "-days", "2", "-nodes", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost"),
    ]
    try:
        subprocess.run(made, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl cannot make a certificate here")
    return key, file


@pytest.fixture
async def tls(certificate):
    key, file = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    server = ChatServer({"/v1/models": models("m"), PATH: answer()})
    await server.start(tls=context)
    yield server, file
    await server.stop()


async def session_of(person):
    """A conversation at a loaded engine, and an image to attach."""
    session = ChatSession(person.engine, lambda _: None)
    image = await person.show()
    await session.load(LoadModel("m", engine="there"))
    while session.model_state is ModelState.LOADING:
        await session.handle(await anext(person._events))
    return session, image


async def over(person, session, turn):
    async with asyncio.timeout(10):
        while not turn.state.is_over:
            await session.handle(await anext(person._events))


async def _load_alone(url):
    from glm4v_tui.engine.remote.engine import RemoteEngine
    from glm4v_tui.engine_settings import RemoteSettings

    engine = RemoteEngine("x", RemoteSettings(url, "m", timeout=5.0), lambda: None)
    await engine.load(LoadModel("m", engine="x"))
    async for event in engine.events():
        if isinstance(event, Failed | Loaded):
            await engine.close()
            return event
    raise AssertionError
