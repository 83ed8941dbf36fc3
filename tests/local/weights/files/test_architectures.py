"""The list of architectures says what transformers reads from GGUF, and what the engine computes of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gguf.constants import MODEL_ARCH_NAMES
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.integrations.ggml import GGUF_CONFIG_MAPPING
from transformers.integrations.gguf.gguf_config_mapping import GGUF_CONFIG_ARCHS
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from app.local.engine import trial
from app.local.engine.families import unsupported_kinds
from app.local.engine.foreign import ATTENTION, ForeignDecoder
from app.local.weights.files.architectures import COMPUTED, NOT_COMPUTED, NOT_WRITING, objection

SMALL = {
    "vocab_size": 97,
    "hidden_size": 64,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
MORE: dict[str, dict[str, Any]] = {
    "gemma4_text": {
        "head_dim": 16,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": 97,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "qwen3_5_text": {"layer_types": ["linear_attention", "full_attention"]},
    "qwen3_5_moe_text": {"layer_types": ["linear_attention", "full_attention"]},
}
OF_ONE_KIND = {"bloom", "falcon", "gpt2", "mamba"}  # which have no groups of heads


def small(model_type: str) -> Any:
    kind = CONFIG_MAPPING[model_type]
    more: dict[str, Any] = {} if model_type in OF_ONE_KIND else {"num_key_value_heads": 2}
    if "moe" in model_type or model_type in {"gpt_oss", "minimax_m2"}:
        more |= EXPERTS
    return kind(**SMALL | more | MORE.get(model_type, {}))


def is_computed(model_type: str) -> bool:
    """What a start would find."""
    config = small(model_type)
    if unsupported_kinds(config):
        return False
    try:
        make: Any = AutoModelForCausalLM.from_config
        model = make(config, attn_implementation=ATTENTION, dtype=torch.float32).eval()
    except KeyError:  # a family without attention that can be replaced
        return False
    return trial.objection(ForeignDecoder(model), model.config, torch.device("cpu")) is None


@pytest.mark.parametrize("model_type", sorted(COMPUTED.values()))
def test_what_can_be_taken_is_computed(model_type: str) -> None:
    assert is_computed(model_type)


@pytest.mark.parametrize("model_type", sorted(NOT_COMPUTED.values()))
def test_what_is_refused_for_its_layers_is_not_computed(model_type: str) -> None:
    assert not is_computed(model_type)


def test_the_list_is_what_transformers_reads() -> None:
    read = {*GGUF_CONFIG_MAPPING, *GGUF_CONFIG_ARCHS}
    types = COMPUTED | NOT_COMPUTED
    names = {name for name in MODEL_ARCH_NAMES.values() if {name, types.get(name)} & read}
    assert names == {*types, *NOT_WRITING}
    for name, model_type in types.items():
        assert model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, name
    assert not NOT_WRITING & {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}


@pytest.mark.parametrize(
    ("name", "why"),
    [("llama", ""), ("bloom", "cannot be computed"), ("t5", "does not write on"), ("x\n" * 99, "hub id")],
)
def test_each_kind_of_refusal_has_its_reason(name: str, why: str) -> None:
    said = objection(name)
    assert why in said
    assert bool(said) == bool(why)
    assert "\n" not in said
    assert len(said) < 140
