"""One prompt to Codex's command line, with this proxy as its provider: CODEX BASE_URL MODEL.

Without its web search and its helpers, which are tools of OpenAI's own kinds, and with instructions of a line
instead of its four thousand words, which a processor reads for a minute.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

INSTRUCTIONS = "You are a coding agent. Answer questions in a sentence."
QUESTION = "Say hello. Call no tool."
SECONDS = 300
CONFIG = """
model = "{model}"
model_provider = "here"
model_instructions_file = "{folder}/instructions.md"
web_search = "disabled"
suppress_unstable_features_warning = true

[agents]
enabled = false

[features]
goals = false
plugins = false
apps = false

[model_providers.here]
name = "here"
base_url = "{base_url}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false
"""


def main(codex: str, base_url: str, model: str) -> int:
    with TemporaryDirectory() as home, TemporaryDirectory() as work:
        Path(home, "instructions.md").write_text(INSTRUCTIONS)
        Path(home, "config.toml").write_text(CONFIG.format(model=model, folder=home, base_url=base_url))
        run = subprocess.run(
            [codex, "exec", "--json", "--skip-git-repo-check", "--sandbox", "read-only", QUESTION],
            cwd=work,
            env={**os.environ, "CODEX_HOME": home},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    events = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    said = [event["item"] for event in events if event["type"] == "item.completed"]
    texts = [item["text"] for item in said if item["type"] == "agent_message"]
    if run.returncode or not texts:
        print(f"FAILED {run.returncode}: {run.stdout[-600:]}")
        return 1
    usage = next(event["usage"] for event in events if event["type"] == "turn.completed")
    print(f"it said {len(texts[-1].split())} words, for a prompt of {usage['input_tokens']} tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
