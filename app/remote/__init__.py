"""The remote model behind a stock vLLM, over HTTP: it takes public messages, token ids and what is passed on.

Written against vLLM 0.32 and recordings of it (tests/fixtures/vllm-0.32).
"""
