"""Whether the key of one profile can tell a right guess at another's text from a wrong one: [TRIES].

Before each try the other profile gets a new secret, and a reply is written for it with a new question. Then
the guess is sent with the key: the private text as the system message, or the conversation as it was; or the
same with other words. What the reply tells of the KV cache, and how long its first token takes, must not
depend on whether the guess is right.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from scipy.stats import mannwhitneyu
from servers import BUNDLE, PYTHON, SOURCE, Server, costeer

from app.profiles.profile import Profile
from app.prompts.private import introduction

TRIES = 200
WORDS = 16  # of a secret: some sixty tokens that a right guess would spare
# Below this the times are told apart. One run in a thousand fails by chance.
SIGNIFICANCE = 0.001
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "el", "or")]
# What is guessed at.
PRIVATE, CONVERSATION = "private text", "conversation"


@dataclass(frozen=True)
class Try:
    right: bool
    seconds: float
    found: int | None


def main(tries: int) -> int:
    failed = False
    with tempfile.TemporaryDirectory() as folder, costeer(settings={"COSTEER_DATA_DIR": folder}) as server:
        for name in ("attacker", "victim"):
            server.post("/v1/profiles", {"id": name, "name": name, "fields": {"job": "baker"}})
        key = profile_key(folder, "attacker")
        for kind in (PRIVATE, CONVERSATION):
            # In turns by chance, so that nothing that drifts looks like an answer.
            order = [True, False] * tries
            random.shuffle(order)
            failed |= told_apart(kind, [attempt(server, key, kind, right=right) for right in order])
    return int(failed)


def profile_key(folder: str, profile_id: str) -> str:
    """A new API key, made by the command line."""
    command = [PYTHON, "-c", "from app.cli import main; main()", "keys", "create", "--profile", profile_id]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "COSTEER_DATA_DIR": folder}
    made = subprocess.run(command, cwd=SOURCE, env=environment, capture_output=True, text=True, check=True)
    return next(word for word in made.stdout.split() if word.startswith("costeer-"))


def attempt(server: Server, key: str, kind: str, *, right: bool) -> Try:
    """A new secret, and a guess at it. No text is sent twice, so that no guess finds an earlier one."""
    secret = words()
    if kind == PRIVATE:
        send(server, "PATCH", "/v1/profiles/victim", {"name": "Vera", "fields": {"notes": secret}})
    asked = [{"role": "user", "content": "Hello." if kind == PRIVATE else secret}]
    send(server, "POST", "/v1/chat/completions", body(asked, "victim"))
    if kind == PRIVATE:
        guessed = {"job": "baker", "notes": secret if right else words()}
        text = introduction(Profile("guess", "Vera", tuple(guessed.items())))
        guess = [{"role": "system", "content": text}, {"role": "user", "content": "Hello."}]
    else:
        guess = asked if right else [{"role": "user", "content": words()}]
    start = time.perf_counter()
    reply = send(server, "POST", "/v1/chat/completions", body(guess, "attacker"), key)
    seconds = time.perf_counter() - start
    return Try(right, seconds, reply["costeer"].get("local_prompt", {}).get("found"))


def words() -> str:
    """Some that nobody has said before."""
    return " ".join("".join(random.choices(SYLLABLES, k=3)) for _ in range(WORDS))


def body(messages: list[dict[str, str]], profile_id: str) -> dict[str, Any]:
    """A steered reply of one token."""
    return {
        "model": BUNDLE,
        "messages": messages,
        "profile": profile_id,
        "max_tokens": 1,
        "temperature": 0,
        "costeer": {"detail": True},
    }


def send(server: Server, method: str, path: str, content: object, key: str | None = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {"Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    connection.request(method, path, json.dumps(content), headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise SystemExit(f"FAILED {answer.status}: {data[:500]!r}")
    return json.loads(data)


def told_apart(kind: str, tries: list[Try]) -> bool:
    """Whether right guesses differ from wrong ones; prints how they compare."""
    right, wrong = ([one for one in tries if one.right == which] for which in (True, False))
    p = mannwhitneyu([one.seconds for one in right], [one.seconds for one in wrong]).pvalue
    ms = [1000 * statistics.median(one.seconds for one in group) for group in (right, wrong)]
    found = [[one.found for one in group if one.found is not None] for group in (right, wrong)]
    told = (
        f"found {statistics.median(found[0]):.0f} and {statistics.median(found[1]):.0f} tokens"
        if all(found)
        else "nothing told of the cache"
    )
    print(
        f"{kind}, {len(right)} right guesses and {len(wrong)} wrong ones: first token {ms[0]:.1f} and "
        f"{ms[1]:.1f} ms, p = {p:.2g}; {told}",
        flush=True,
    )
    return bool(p < SIGNIFICANCE or any(found))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIES))
