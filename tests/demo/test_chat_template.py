"""What the embedded model's own template makes of a conversation."""

import pytest
from transformers import AutoProcessor

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.demo.examples import _SYSTEM_PROMPTS
from glm4v_tui.demo.tokenizer import CHAT_TEMPLATE

USER = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is it?"}]}


@pytest.fixture(scope="module")
def render():
    processor = AutoProcessor.from_pretrained(CHECKPOINT)
    return lambda *turns: processor.apply_chat_template(list(turns), add_generation_prompt=True)


@pytest.mark.parametrize("text", _SYSTEM_PROMPTS)
@pytest.mark.parametrize("as_parts", [False, True])
def test_every_system_prompt_of_training_is_kept(render, text, as_parts):
    content = [{"type": "text", "text": text}] if as_parts else text
    bare = render(USER)
    kept = render({"role": "system", "content": content}, USER)
    assert kept == bare.replace("<|user|>", f"<|system|>\n{text}<|user|>", 1)


def test_a_longer_one_is_left_out(render):
    assert render({"role": "system", "content": "Be precise. " * 20}, USER) == render(USER)


def test_the_checkpoint_has_the_template_that_training_writes():
    assert (CHECKPOINT / "chat_template.jinja").read_text() == CHAT_TEMPLATE.read_text()
