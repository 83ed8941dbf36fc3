"""The remote: a stock vLLM over HTTP or a model in this process; it gets public messages and tokens only.

Besides, a vLLM gets the requests that clients have passed on to it. Written against vLLM 0.32 and recordings
of it (tests/fixtures/vllm-0.32).
"""
