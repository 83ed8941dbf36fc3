"""The names of all known fields of a request for a response: OpenAI's, vLLM's, and this proxy's own."""

from __future__ import annotations

from app.api.schemas.chat_fields import LABELS, OWN

OPENAI = frozenset(
    """
    access_programs background background_options context_management conversation image include input
    instructions max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls
    previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention reasoning
    safety_identifier service_tier store stream stream_options temperature text tool_choice tools
    top_logprobs top_p truncation user
    """.split()  # noqa: SIM905  # one a line would be forty lines
)
# Fields of vLLM 0.32.
VLLM = frozenset(
    """
    cache_salt chat_template_kwargs ec_transfer_params enable_response_messages frequency_penalty ignore_eos
    include_reasoning include_stop_str_in_output kv_transfer_params logit_bias media_io_kwargs min_p
    mm_payload mm_processor_kwargs presence_penalty previous_input_messages priority repetition_penalty
    request_id return_mm_kwargs seed session_id skip_special_tokens stop stop_token_ids structured_outputs
    top_k vllm_xargs watermarking
    """.split()  # noqa: SIM905
)
# A label of Codex, which says from which installation it asks.
CLIENT = frozenset({"client_metadata"})
KNOWN = OWN | LABELS | CLIENT | OPENAI | VLLM
# What can be named in `include`; without the tools and inputs that they are of, most ask for nothing.
LOGPROBS = "message.output_text.logprobs"
INCLUDABLE = frozenset(
    {
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        LOGPROBS,
        "message.input_image.image_url",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
        "web_search_call.results",
    }
)
