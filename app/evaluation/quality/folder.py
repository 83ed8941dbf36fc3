"""The folder of an evaluation: what was read, written and attacked so far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.errors import InvalidRequest
from app.evaluation.quality.forced import Forced
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.results import Results
from app.evaluation.quality.scored import Scored
from app.evaluation.quality.written import Written


class Folder:
    """The results of an evaluation on the disk; `read`, `written` or `scored` is None if the plan has no such
    part."""

    def __init__(self, path: Path, arguments: Mapping[str, Any], plan: Plan) -> None:
        """`arguments` are what must be the same for results to belong together, besides what the plan says
        of the length of texts and replies. Raises InvalidRequest."""
        self.path = path
        self.arguments = dict(arguments)
        self.read: Results[Forced] | None = None
        self.written: Results[Written] | None = None
        self.scored: Results[Scored] | None = None
        try:
            # Private mode: replies contain personal information.
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidRequest(
                f"{path}: cannot be made: {error.strerror}. Choose another --out."
            ) from error
        if plan.read:
            asked = {**self.arguments, "tokens": plan.tokens}
            self.read = Results(path / "read.jsonl", asked, Forced.of)
        if plan.systems:
            asked = {
                **self.arguments,
                "top_logprobs": plan.top,
                "reply_tokens": plan.reply_tokens,
                "temperature": plan.temperature,
            }
            self.written = Results(path / "written.jsonl", asked, Written.of)
            if plan.crowd is not None:
                attacking = {**asked, "attacker": "remote" if plan.crowd.by_remote else "small"}
                self.scored = Results(path / "attack.jsonl", attacking, Scored)
