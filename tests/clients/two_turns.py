"""A two-turn streamed chat with each of the frameworks that people use: NAME BASE_URL MODEL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

TURNS = ("My name is Ada. Say hello.", "What is my name?")
LIMIT = 24


def langchain(base_url: str, model: str) -> list[list[str]]:
    chat = import_module("langchain_openai").ChatOpenAI(
        base_url=base_url, api_key="unused", model=model, max_tokens=LIMIT, max_retries=0, stream_usage=True
    )
    history: list[tuple[str, str]] = []
    replies = []
    for turn in TURNS:
        chunks = list(chat.stream([*history, ("user", turn)]))
        if not any(chunk.usage_metadata for chunk in chunks):
            raise AssertionError("no usage came with the stream")
        replies.append([chunk.text for chunk in chunks if chunk.text])
        history += [("user", turn), ("assistant", "".join(replies[-1]))]
    return replies


def llama_index(base_url: str, model: str) -> list[list[str]]:
    message = import_module("llama_index.core.llms").ChatMessage
    llm = import_module("llama_index.llms.openai_like").OpenAILike(
        api_base=base_url, api_key="unused", model=model, is_chat_model=True, max_tokens=LIMIT, max_retries=0
    )
    history: list[object] = []
    replies = []
    for turn in TURNS:
        history.append(message(role="user", content=turn))
        replies.append([chunk.delta for chunk in llm.stream_chat(history) if chunk.delta])
        history.append(message(role="assistant", content="".join(replies[-1])))
    return replies


def litellm(base_url: str, model: str) -> list[list[str]]:
    completion = import_module("litellm").completion
    history: list[dict[str, str]] = []
    replies = []
    for turn in TURNS:
        history.append({"role": "user", "content": turn})
        chunks = completion(
            model=f"openai/{model}",
            api_base=base_url,
            api_key="unused",
            messages=history,
            stream=True,
            max_tokens=LIMIT,
            num_retries=0,
        )
        replies.append([c.choices[0].delta.content for c in chunks if c.choices[0].delta.content])
        history.append({"role": "assistant", "content": "".join(replies[-1])})
    return replies


def llm(base_url: str, model: str) -> list[list[str]]:
    """The command itself, with its extra-openai-models.yaml; `-c` goes on with the last conversation."""
    with tempfile.TemporaryDirectory() as folder:
        entry = f"- model_id: here\n  model_name: {model}\n  api_base: {base_url}\n  api_key_name: none\n"
        Path(folder, "extra-openai-models.yaml").write_text(entry)
        replies = []
        for number, turn in enumerate(TURNS):
            command = [str(Path(sys.executable).with_name("llm")), "-m", "here", "--key", "unused"]
            run = subprocess.run(
                [*command, "-o", "max_tokens", str(LIMIT), *(["-c"] if number else []), turn],
                env={**os.environ, "LLM_USER_PATH": folder},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if run.returncode:
                raise AssertionError(run.stderr.strip()[-300:])
            replies.append(run.stdout.split())
    return replies


FRAMEWORKS: Mapping[str, Callable[[str, str], list[list[str]]]] = {
    "langchain-openai": langchain,
    "llama-index": llama_index,
    "litellm": litellm,
    "llm": llm,
}


def main(name: str, base_url: str, model: str) -> int:
    try:
        replies = FRAMEWORKS[name](base_url, model)
    except Exception as error:
        print(f"FAILED {type(error).__name__}: {str(error)[:300]}")
        return 1
    pieces = [len(reply) for reply in replies]
    if len(pieces) != len(TURNS) or min(pieces) < 2:
        print(f"FAILED pieces of each reply: {pieces}")
        return 1
    print(f"two replies, in {pieces[0]} and {pieces[1]} pieces")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
