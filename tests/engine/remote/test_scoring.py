"""How probable labels are, where a server tells, and nothing where it does not."""

import math

import pytest

from glm4v_tui.chat import Message, Role
from glm4v_tui.engine.protocol import Failed, Score, Scored
from glm4v_tui.engine.remote.scoring import first_tokens, log_likelihoods
from tests.chat_server import Reply, models

PATH = "/v1/chat/completions"


def told(**probabilities):
    top = [
        {"token": token.replace("_", " "), "logprob": math.log(value), "bytes": None}
        for token, value in probabilities.items()
    ]
    place = {"token": top[0]["token"], "logprob": top[0]["logprob"], "top_logprobs": top}
    choice = {"message": {"content": "x"}, "finish_reason": "length"}
    return {"choices": [choice | {"logprobs": {"content": [place]}}]}


async def score(person, *answers):
    messages = (Message(Role.USER, "Good?", (await person.show(),)),)
    await person.engine.score(Score("1", messages, answers))
    return await person.until(Scored, Failed)


async def test_they_come_from_the_probabilities_of_the_first_token(server, person_at):
    server.replies["/v1/models"] = models("m", owned_by="vllm")
    server.replies[PATH] = Reply(told(**{"pass": 0.6, "_pass": 0.1, "fail": 0.2, "The": 0.05}))
    person = person_at(server.url)
    await person.load()
    scored = await score(person, "pass", "fail")
    assert [math.exp(one) for one in scored.log_likelihoods] == pytest.approx([0.7, 0.2])
    assert scored.tokens == (1, 1)
    sent = server.questions[0].json
    assert (sent["max_tokens"], sent["logprobs"], sent["top_logprobs"]) == (1, True, 20)
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"choices": [{"message": {"content": "pass"}, "finish_reason": "stop"}]}),
        Reply({"choices": [{"message": {"content": "x"}, "logprobs": None}]}),
        Reply({"error": {"message": "logprobs is not supported"}}, 400),
        Reply(told(**{"<think>": 0.99, "pass": 0.001})),
    ],
)
async def test_where_they_are_not_told_they_are_unknown(server, person_at, reply):
    server.replies[PATH] = reply
    person = person_at(server.url)
    await person.load()
    scored = await score(person, "pass", "fail")
    assert scored.log_likelihoods == ()
    assert "chat_template_kwargs" not in server.questions[0].json  # a stranger may refuse it


async def test_a_server_known_not_to_tell_is_not_asked(server, person_at):
    server.replies["/v1/models"] = models("m", owned_by="organization_owner")
    person = person_at(server.url)
    await person.load()
    assert (await score(person, "pass", "fail")).log_likelihoods == ()
    assert server.questions == []


async def test_other_failures_are_told(server, person_at):
    server.replies[PATH] = Reply("", 401)
    person = person_at(server.url)
    await person.load()
    assert isinstance(await score(person, "pass", "fail"), Failed)


def logs(**probabilities):
    return {token.replace("_", " "): math.log(value) for token, value in probabilities.items()}


def test_an_answer_begun_by_a_part_of_its_first_word_counts():
    found = log_likelihoods(("scratch", "dent"), logs(scr=0.5, d=0.4, x=0.01))
    assert [math.exp(one) for one in found] == pytest.approx([0.5, 0.4])


def test_answers_that_begin_alike_cannot_be_told_apart():
    assert log_likelihoods(("no defect", "no part"), logs(no=0.9, yes=0.1)) is None


def test_an_answer_that_is_not_listed_is_at_most_as_probable_as_the_least_listed():
    found = log_likelihoods(("pass", "fail"), logs(**{"pass": 0.999, "The": 1e-5}))
    assert [math.exp(one) for one in found] == pytest.approx([0.999, 1e-5])


def test_unless_that_might_matter():
    assert log_likelihoods(("pass", "fail"), logs(**{"pass": 0.6, "The": 0.3})) is None


@pytest.mark.parametrize("chunk", [None, {}, {"choices": []}, {"choices": [{"logprobs": {}}]}])
def test_odd_chunks_tell_nothing(chunk):
    assert first_tokens(chunk) == {}
