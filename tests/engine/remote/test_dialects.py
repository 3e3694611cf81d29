"""Event streams in the shapes that servers document, and what each server tells of itself.

The shapes differ in: a first event with a role alone (vLLM, SGLang, llama.cpp), ``content`` null
(SGLang, llama.cpp), reasoning as ``reasoning_content`` or ``reasoning``, usage in an event without
choices (vLLM, SGLang, llama.cpp, Ollama) or in the last one with a choice (transformers serve),
more fields beside (``timings``, ``matched_stop``, ``stop_reason``), the end by ``[DONE]`` or by the
end of the stream alone (transformers serve).
"""

import json

import pytest

from glm4v_tui.engine.protocol import FinishReason, ResultForm, Sampling
from tests.chat_server import Reply, Stream, models

FORM = ResultForm('{"type":"object","properties":{"label":{"enum":["pass","fail"]}}}')
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1764042665, "model": "m"}


def event(choice=None, **more):
    choices = [] if choice is None else [{"index": 0, "finish_reason": None} | choice]
    return f"data: {json.dumps(HEAD | {'choices': choices} | more)}\n\n".encode()


def delta(**fields):
    return {"delta": fields}


USAGE = {"prompt_tokens": 1034, "total_tokens": 1038, "completion_tokens": 4}
DONE = b"data: [DONE]\n\n"
STREAMS = {
    "vllm": [
        event(delta(role="assistant", content=""), usage=None, prompt_token_ids=None),
        event(delta(reasoning="Hm"), token_ids=None),
        event(delta(reasoning="m.")),
        event(delta(content="A")),
        event({"delta": {"content": " cat."}, "finish_reason": "stop", "stop_reason": None}),
        event(usage=USAGE),
        DONE,
    ],
    "sglang": [
        event(delta(role="assistant", content="", reasoning_content=None, tool_calls=None)),
        event(delta(role=None, content=None, reasoning_content="Hmm.", tool_calls=None)),
        event(delta(role=None, content="A", reasoning_content=None, tool_calls=None)),
        event(delta(role=None, content=" cat.", reasoning_content=None) | {"matched_stop": None}),
        event({"delta": {"content": None}, "finish_reason": "stop", "matched_stop": 151336}),
        event(usage=USAGE | {"prompt_tokens_details": None, "reasoning_tokens": 2}),
        DONE,
    ],
    "llama.cpp": [
        event(delta(role="assistant", content=None), system_fingerprint="b6881-8b11deea4"),
        event(delta(reasoning_content="Hm")),
        event(delta(reasoning_content="m.")),
        event(delta(content="A cat.")),
        event({"delta": {}, "finish_reason": "stop"}),
        event(
            usage=USAGE | {"prompt_tokens_details": {"cached_tokens": 5}},
            timings={"cache_n": 5, "prompt_n": 1029, "predicted_n": 4, "predicted_ms": 15.1},
        ),
        DONE,
    ],
    "ollama": [
        event(
            delta(role="assistant", content="", reasoning="Hmm."), system_fingerprint="fp_ollama"
        ),
        event(delta(role="assistant", content="A cat.")),
        event({"delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}),
        event(usage=USAGE),
        DONE,
    ],
    "transformers": [
        event(delta(role="assistant"), system_fingerprint=""),
        event(delta(reasoning_content="Hmm.")),
        event(delta(content="A cat.")),
        event({"delta": {}, "finish_reason": "stop"}, usage=USAGE),
    ],
}
TOLD = {
    "vllm": models("m", owned_by="vllm", root="/m", parent=None, max_model_len=65536),
    "sglang": models("m", owned_by="sglang", root="m", max_model_len=65536),
    "llama.cpp": models(
        "m", aliases=["m"], owned_by="llamacpp", meta={"n_ctx": 65536, "n_ctx_train": 131072}
    ),
    "ollama": models("m", owned_by="library"),
    "transformers": models("m", owned_by="me", created=0, status={"value": "unloaded"}),
    "lmstudio": models("m", owned_by="organization_owner"),
    "openai": models("m", owned_by="system"),
}
MORE = {
    "/props": Reply({"default_generation_settings": {"n_ctx": 65536}}),
    "/api/show": Reply(
        {"model_info": {"general.architecture": "glm4v", "glm4v.context_length": 65536}}
    ),
    "/api/v0/models/m": Reply({"max_context_length": 131072, "loaded_context_length": 65536}),
}
LENGTHS = dict.fromkeys(TOLD, 65536) | {"transformers": None, "openai": None}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [7, 1 << 20])
async def test_every_stream_is_the_same_answer_however_it_is_cut(server, person_at, name, size):
    whole = b"".join(STREAMS[name])
    if size == 7:
        whole = whole.replace(b"\n\n", b"\r\n: keep-alive\r\n\r\n")
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    server.replies["/v1/models"] = TOLD[name]
    server.replies["/v1/chat/completions"] = Stream(*pieces)
    person = person_at(server.url)
    await person.load()
    text, end = await person.ask()
    assert text == "<think>Hmm.</think>A cat."
    assert (end.reason, end.usage.prompt_tokens) == (FinishReason.STOP, 1034)
    assert end.usage.completion_tokens == 4


@pytest.mark.parametrize("name", TOLD)
async def test_servers_are_told_apart_and_say_how_long_their_context_is(server, person_at, name):
    server.replies |= {"/v1/models": TOLD[name], **MORE}
    loaded = await person_at(server.url).load()
    assert loaded.model.model_type == name
    assert loaded.model.context_length == LENGTHS[name]


async def test_a_llama_cpp_that_tells_less_and_has_more_names(server, person_at):
    """Older ones tell their context at another place; all answer to every name they were given."""
    server.replies |= MORE
    meta = {"n_ctx_train": 131072}
    server.replies["/v1/models"] = models("first", aliases=["m"], owned_by="llamacpp", meta=meta)
    loaded = await person_at(server.url).load()
    assert loaded.model.context_length == 65536


async def test_ollama_is_known_by_its_first_page(server, person_at):
    """Its models may be of any namespace."""
    server.replies |= {"/v1/models": models("m", owned_by="someone"), **MORE}
    server.replies["/"] = Reply(text="Ollama is running", kind="text/plain")
    loaded = await person_at(server.url).load()
    assert loaded.model.model_type == "ollama"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vllm", {"top_k": 5, "repetition_penalty": 1.1}),
        ("sglang", {"top_k": 5, "repetition_penalty": 1.1}),
        ("llama.cpp", {"top_k": 5, "repeat_penalty": 1.1, "repeat_last_n": 131072}),
        ("ollama", {}),
        ("transformers", {}),
    ],
)
async def test_each_is_asked_in_its_own_words(server, person_at, name, expected):
    server.replies |= {"/v1/models": TOLD[name], **MORE}
    person = person_at(server.url)
    await person.load()
    await person.ask(sampling=Sampling(9, 0.5, 0.9, 5, 1.1, 7), form=FORM)
    sent = server.questions[0].json
    extra = {"top_k", "repetition_penalty", "repeat_penalty", "repeat_last_n"} & set(sent)
    assert {key: sent[key] for key in extra} == expected
    assert (sent["seed"], sent["top_p"], sent["temperature"]) == (7, 0.9, 0.5)
    # transformers serve ignores a schema with a warning: there it is not sent
    assert ("response_format" in sent) == (name != "transformers")
    assert ("stream_options" in sent) == (name != "transformers")


async def test_a_service_without_a_list_of_models_is_asked_all_the_same(server, person_at):
    del server.replies["/v1/models"]
    person = person_at(server.url)
    loaded = await person.load()
    assert loaded.model.model_type == "openai"
    assert (await person.ask())[0] == "A cat."
