"""Results in a form: bound by the server, or checked here and mended once."""

import json

import pytest

from glm4v_tui.engine.protocol import Failed, Finished, ResultForm, TextDelta
from tests.chat_server import Reply, answer, models

PATH = "/v1/chat/completions"
FORM = ResultForm(
    '{"type":"object","properties":{"label":{"enum":["pass","fail"]}},"required":["label"],'
    '"additionalProperties":false}'
)
GOOD = '{"label": "pass"}'


async def test_a_server_that_binds_gets_the_schema_and_is_told_word_by_word(server, person_at):
    server.replies["/v1/models"] = models("m", owned_by="vllm")
    server.replies[PATH] = answer(GOOD)
    person = person_at(server.url)
    await person.load()
    text, _ = await person.ask(form=FORM)
    sent = server.questions[0].json["response_format"]
    assert sent["json_schema"]["schema"] == json.loads(FORM.schema)
    assert text == GOOD
    assert sum(isinstance(one, TextDelta) for one in person.heard) == 2


@pytest.mark.parametrize(
    ("form", "owner", "words"),
    [
        (FORM, "llamacpp", {"enable_thinking": False}),
        (ResultForm(FORM.schema, reasoning_tokens=9), "llamacpp", None),
        (None, "llamacpp", None),
        (FORM, "system", None),  # hosted services know no such key, and may refuse it
    ],
)
async def test_a_result_has_no_thought_before_it_unless_there_is_room(
    server, person_at, form, owner, words
):
    server.replies["/v1/models"] = models("m", owned_by=owner)
    server.replies[PATH] = answer(GOOD)
    person = person_at(server.url)
    await person.load()
    await person.ask(form=form)
    assert server.questions[0].json.get("chat_template_kwargs") == words


@pytest.mark.parametrize("written", [GOOD, f"```json\n{GOOD}\n```", f"<think>x</think>{GOOD}"])
async def test_a_result_of_a_stranger_is_told_when_it_is_checked(server, person_at, written):
    server.replies[PATH] = answer(written)
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask(form=FORM)
    assert json.loads(text) == {"label": "pass"}
    assert len(server.questions) == 1
    assert end.usage.completion_tokens == 3


async def test_what_is_not_in_the_form_is_mended_once(server, person_at):
    replies = iter([answer('{"label": "good"}'), answer(GOOD)])
    server.replies[PATH] = lambda _: next(replies)
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask(form=FORM)
    assert text == GOOD
    again = server.questions[1].json["messages"]
    assert again[-2]["content"] == '{"label": "good"}'
    assert "label" in again[-1]["content"]
    assert "'good' is not one of" in again[-1]["content"]
    assert end.usage.completion_tokens == 6


async def test_what_cannot_be_mended_comes_as_the_model_wrote_it(server, person_at):
    """The task says then that it is no result, with the raw text."""
    server.replies[PATH] = answer("I see a part.")
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask(form=FORM)
    assert isinstance(end, Finished)
    assert text == "I see a part."
    assert len(server.questions) == 2


async def test_a_server_that_refuses_the_schema_is_asked_without(server, person_at):
    def reply(request):
        if "response_format" in request.json:
            return Reply({"error": {"message": "response_format is not supported"}}, 400)
        return answer(GOOD)

    server.replies[PATH] = reply
    person = person_at(server.url)
    await person.load()
    text, _ = await person.ask(form=FORM)
    assert text == GOOD
    assert len(server.questions) == 2


async def test_other_refusals_are_told(server, person_at):
    server.replies[PATH] = Reply({"error": {"message": "the image is broken"}}, 400)
    person = person_at(server.url)
    await person.load()
    _, end = await person.ask(form=FORM)
    assert isinstance(end, Failed)
    assert len(server.questions) == 1
