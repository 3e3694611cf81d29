"""Questions to a server and what comes back."""

import asyncio
import base64
import io

import pytest
from PIL import Image

from glm4v_tui.chat import Message, Role
from glm4v_tui.engine.protocol import (
    UNCOUNTED,
    Failed,
    Finished,
    FinishReason,
    Generate,
    RgbImage,
    TextDelta,
)
from tests.chat_server import DONE, Reply, Stream, answer, chunk, models


async def test_an_answer_comes_word_by_word_with_what_it_took(server, person_at):
    person = person_at(server.url)
    loaded = await person.load()
    text, end = await person.ask()
    assert (loaded.model.name, loaded.model.is_elsewhere) == ("m", False)
    assert text == "A cat."
    assert [one.text for one in person.heard if isinstance(one, TextDelta)] == ["A ", "cat."]
    assert end.reason is FinishReason.STOP
    assert (end.usage.prompt_tokens, end.usage.completion_tokens) == (7, 3)
    assert 0 <= end.timing.first_token_s <= end.timing.total_s


async def test_the_question_is_sent_as_it_was_asked(server, person_at, greedy):
    person = person_at(server.url)
    await person.load()
    shown = await person.show()
    messages = (
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "One?", (shown,)),
        Message(Role.ASSISTANT, "Yes."),
        Message(Role.USER, "Two?", (shown, await person.show("b"))),
    )
    await person.engine.generate(Generate("1", messages, greedy))
    await person.until(Finished)
    (question,) = server.questions
    sent = question.json
    assert [one["role"] for one in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][0]["content"] == "Be brief."
    last = sent["messages"][3]["content"]
    assert [part["type"] for part in last] == ["image_url", "image_url", "text"]
    assert last[2]["text"] == "Two?"
    assert (sent["temperature"], sent["max_tokens"], sent["stream"]) == (0.0, 50, True)
    assert "top_k" not in sent  # not of this interface: a stranger may refuse it


async def test_pixels_arrive_as_they_are(server, person_at):
    """PNG keeps every value: the answer does not depend on where the model runs."""
    person = person_at(server.url)
    await person.load()
    await person.ask("?", await person.show())
    picture = _picture(server.questions[0])
    assert (picture.format, picture.size) == ("PNG", (4, 3))
    assert picture.convert("RGB").tobytes() == bytes(range(36))


@pytest.mark.parametrize(("size", "expected"), [((400, 100), (200, 50)), ((3, 600), (1, 200))])
async def test_larger_images_are_made_smaller(server, person_at, size, expected):
    person = person_at(server.url, image_side=200, image_format="jpeg")
    await person.load()
    image = RgbImage(*size, bytes(size[0] * size[1] * 3))
    await person.ask("?", await person.show("a", image))
    picture = _picture(server.questions[0])
    assert (picture.format, picture.size) == ("JPEG", expected)


async def test_an_abort_closes_the_request(server, person_at):
    server.replies["/v1/chat/completions"] = Stream(chunk("One"), 60, chunk("two"))
    person = person_at(server.url)
    await person.load()
    await person.say()
    await person.until(TextDelta)
    await person.engine.abort("1")
    end = await person.until(Finished, Failed)
    assert end.reason is FinishReason.ABORT
    assert person.text() == "One"
    await asyncio.wait_for(server.left.wait(), 5)


async def test_an_abort_before_the_first_step_ends_it_once(server, person_at):
    person = person_at(server.url)
    await person.load()
    await person.say()
    await person.engine.abort("1")
    await person.engine.abort("1")
    await person.ask(name="2")
    ends = [one.request_id for one in person.heard if isinstance(one, Finished)]
    assert ends == ["1", "2"]


async def test_a_name_may_be_used_again_at_once(server, person_at):
    """The end of the one before is not taken for that of the next."""
    person = person_at(server.url)
    await person.load()
    for _ in range(5):
        await person.ask()
    assert person.text() == "A cat." * 5


async def test_no_more_questions_are_asked_at_a_time_than_the_settings_say(server, person_at):
    server.replies["/v1/chat/completions"] = Stream(0.02, chunk("x", "stop"), DONE)
    person = person_at(server.url, max_in_flight=3)
    await person.load()
    for number in range(10):
        await person.say(name=str(number))
    ends = [(await person.until(Finished, Failed)).request_id for _ in range(10)]
    assert sorted(ends) == [str(number) for number in range(10)]
    assert server.most_open == 3


async def test_connections_stay_open_for_the_next_question(server, person_at):
    person = person_at(server.url, max_in_flight=3)
    await person.load()
    ends = {str(number) for number in range(20)}
    for name in sorted(ends):
        await person.say(name=name)
    while ends:
        ends.discard((await person.until(Finished)).request_id)
    assert server.connections <= 3


async def test_a_connection_that_the_server_closed_is_made_anew(server, person_at):
    person = person_at(server.url)
    await person.load()
    await person.ask(name="1")
    await server.stop()
    await server.start(port=server.port)
    text, _ = await person.ask(name="2")
    assert text == "A cat."


async def test_dropped_images_are_still_in_what_was_asked_before(server, person_at):
    person = person_at(server.url)
    await person.load()
    shown = await person.show()
    await person.say("?", shown)
    await person.engine.drop_image("a")
    end = await person.until(Finished, Failed)
    assert isinstance(end, Finished)
    assert not person.engine.has_image("a")


async def test_an_answer_that_is_not_streamed_is_taken_as_well(server, person_at):
    whole = {
        "choices": [{"message": {"content": "A cat."}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }
    server.replies["/v1/chat/completions"] = Reply(whole)
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask()
    assert (text, end.reason, end.usage.prompt_tokens) == ("A cat.", FinishReason.LENGTH, 5)


async def test_the_key_comes_from_the_environment(server, person_at, monkeypatch):
    monkeypatch.setenv("THERE_KEY", "s3cret")
    person = person_at(server.url, api_key_env="THERE_KEY")
    await person.load()
    assert server.arrived[0].headers["authorization"] == "Bearer s3cret"


async def test_without_its_key_the_engine_says_which_variable_is_missing(server, person_at):
    person = person_at(server.url, api_key_env="THERE_KEY")
    failed = await person.load()
    assert "THERE_KEY" in failed.body
    assert server.arrived == []


@pytest.mark.parametrize("usage", [None, {"completion_tokens": 2}, {"prompt_tokens": "7"}])
async def test_pieces_are_not_taken_for_tokens_where_the_server_does_not_count(
    server, person_at, usage
):
    last = chunk(finish="stop", usage=usage)
    server.replies["/v1/chat/completions"] = Stream(chunk("a"), 0.01, chunk("b"), last, DONE)
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask()
    assert (text, end.usage) == ("ab", UNCOUNTED)
    assert end.timing.decode_tokens_per_s is None
    assert end.timing.first_token_s is not None


async def test_nobody_counts_what_is_stopped(server, person_at):
    server.replies["/v1/chat/completions"] = Stream(chunk("One"), 60)
    person = person_at(server.url)
    await person.load()
    await person.say()
    await person.until(TextDelta)
    await person.engine.abort("1")
    end = await person.until(Finished)
    assert (end.reason, end.usage) == (FinishReason.ABORT, UNCOUNTED)


async def test_leaving_the_engine_fails_what_runs(server, person_at):
    server.replies["/v1/chat/completions"] = Stream(chunk("One"), 60)
    person = person_at(server.url)
    await person.load()
    await person.say()
    await person.until(TextDelta)
    await person.engine.unload()
    assert isinstance(await person.until(Failed, Finished), Failed)


def _picture(question):
    (part,) = [one for one in question.json["messages"][-1]["content"] if "image_url" in one]
    data = part["image_url"]["url"].partition(";base64,")[2]
    return Image.open(io.BytesIO(base64.b64decode(data)))


async def test_a_model_that_is_not_there_is_named_with_those_that_are(server, person_at):
    server.replies["/v1/models"] = models("glm-4.1v", "qwen")
    failed = await person_at(server.url).load()
    assert "glm-4.1v, qwen" in failed.body


async def test_a_newer_word_for_the_longest_answer_is_learned(server, person_at):
    """Some hosted models refuse ``max_tokens`` and say what they want instead."""

    def reply(request):
        if "max_tokens" in request.json:
            told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return Reply({"error": {"message": told}}, 400)
        return answer()

    server.replies["/v1/chat/completions"] = reply
    person = person_at(server.url)
    await person.load()
    assert (await person.ask())[0] == "A cat."
    await person.ask(name="2")
    assert len(server.questions) == 3
    assert server.questions[-1].json["max_completion_tokens"] == 1024


async def test_a_list_of_models_that_has_moved_is_found(server, person_at):
    server.replies["/moved"] = server.replies["/v1/models"]
    server.replies["/v1/models"] = Reply("", 307, {"location": "/moved"})
    assert (await person_at(server.url).load()).model.name == "m"
