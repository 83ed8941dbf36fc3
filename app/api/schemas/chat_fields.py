"""The names of all known fields of a chat request: OpenAI's, vLLM's, and this proxy's own."""

from __future__ import annotations

# This proxy's own fields.
OWN = frozenset({"profile", "strength", "steering", "costeer"})
# Fields that identify the user and do not affect the reply: they stay on the device.
LABELS = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "session_id",
        "user",
    }
)
OPENAI = frozenset(
    """
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
    messages metadata modalities model moderation n parallel_tool_calls prediction presence_penalty
    prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort response_format
    safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools
    top_logprobs top_p user verbosity web_search_options
    """.split()  # noqa: SIM905  # one a line would be ninety lines
)
# Fields of vLLM 0.32, and names that older versions used, as for structured_outputs.
VLLM = frozenset(
    """
    add_generation_prompt add_special_tokens allowed_token_ids bad_words cache_salt chat_template
    chat_template_kwargs continue_final_message documents ec_transfer_params echo ignore_eos
    include_reasoning include_stop_str_in_output kv_transfer_params length_penalty logprob_token_ids
    media_io_kwargs min_p min_tokens mm_payload mm_processor_kwargs priority prompt_logprobs
    repetition_detection repetition_penalty request_id return_mm_kwargs return_prompt_text return_token_ids
    return_token_offsets return_tokens_as_token_ids routed_experts_prompt_start session_id
    skip_special_tokens spaces_between_special_tokens stop_token_ids stream_interval structured_outputs
    thinking_token_budget top_k truncate_prompt_tokens truncation_side use_beam_search vllm_xargs
    watermarking
    best_of guided_choice guided_decoding_backend guided_grammar guided_json guided_regex
    guided_whitespace_pattern logits_processors structural_tag
    """.split()  # noqa: SIM905
)
KNOWN = OWN | LABELS | OPENAI | VLLM
