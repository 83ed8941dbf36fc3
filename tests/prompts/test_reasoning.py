"""The small model's prompts are open for a reply's text, whatever its template makes of reasoning."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import LOUD, LOUD_HISTORY, as_hits
from tokenization.test_tokenizer import byte_level

from app.prompts.local_prompts import common_beginning, local_prompts
from app.prompts.message import Message
from app.prompts.private import PrivateContext
from app.tokenization.tokenizer import Tokenizer

TURNS = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
OPEN = "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}"
EMPTY = "<think>\n\n</think>\n\n"
TEMPLATES = {
    # As Qwen 3 and SmolLM 3: it thinks unless it is told not to.
    "told": TURNS + OPEN + "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}",
    # As models distilled from R1: it thinks always.
    "always": TURNS + OPEN + "{{ '<think>\n' }}{% endif %}",
    "never": TURNS + OPEN + "{% endif %}",
}
QUESTION = [Message("user", "Hello"), Message("assistant", "Hello again"), Message("user", "Hello world")]
PRIVATE = PrivateContext(LOUD, as_hits(LOUD_HISTORY))


@pytest.mark.parametrize(("name", "end"), [("told", EMPTY), ("always", EMPTY), ("never", "")])
@pytest.mark.parametrize("fast", [True, False])
def test_a_small_model_that_reasons_has_done_so_in_no_words(
    tmp_path: Path, name: str, end: str, fast: bool
) -> None:
    byte_level(tmp_path, TEMPLATES[name])
    tokenizer = Tokenizer(str(tmp_path), fast=fast)
    read = local_prompts(PRIVATE, QUESTION, tokenizer, 1000)
    assert read.pairs
    for prompt in (one for pair in read.pairs for one in (pair.aware, pair.agnostic)):
        assert prompt.text.endswith(f"Hello world<|end|><|assistant|>\n{end}")
        assert list(prompt.prompt.ids) == tokenizer.encode(prompt.text)
        assert not tokenizer.thinking(prompt.prompt.ids)
    warm = common_beginning(LOUD, tokenizer, 1000)
    assert warm is not None
    assert read.pairs[0].aware.prompt.ids[: len(warm.ids)] == warm.ids


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_message_that_goes_on_is_left_open_as_it_is(tmp_path: Path, name: str) -> None:
    tokenizer = byte_level(tmp_path, TEMPLATES[name])
    begun = [QUESTION[0], Message("assistant", "Hello ag")]
    read = local_prompts(PRIVATE, begun, tokenizer, 1000, continue_final=True)
    assert all(pair.aware.text.endswith("<|assistant|>Hello ag") for pair in read.pairs)


def test_the_remote_s_own_prompt_is_its_template_s_own(tmp_path: Path) -> None:
    """Whether the remote reasons is its business, and the client's."""
    tokenizer = byte_level(tmp_path, TEMPLATES["told"])
    assert tokenizer.render(QUESTION).endswith("<|assistant|>\n")
    assert tokenizer.render(QUESTION, thinks=False).endswith(EMPTY)
