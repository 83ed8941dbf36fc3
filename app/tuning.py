"""How replies are drafted, scored and verified: what is the same for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.resuming import Patience


@dataclass(frozen=True)
class Tuning:
    """The settings of steering; see settings.py.

    `top_logprobs` candidates are steered at each position. `max_context_tokens` is what the private text may
    take up in the local prompt, `max_model_len` what prompt and reply may together.

    `draft_length` bounds one remote request; `verify_batch` is how many drafted tokens to gather before a
    local pass, 0 to score at once whatever has arrived.

    Two knobs trade personalisation for speed. Where the remote's likeliest token has at least the probability
    `confidence_gate`, nothing is steered (None: everything is). A drafted token is kept when it is at least
    `lenience` times as likely as the best one, steered (arXiv 2211.17192, appendix A.5; 1: no lenience).
    `patience` is had with a remote that fails in the middle of the reply. A drafted token waits for the local
    model `local_patience` seconds at most, and is then taken as it is, as are all after it once that has
    failed; None: as long as it takes, and failures are raised.
    """

    top_logprobs: int = 20
    max_context_tokens: int = 1024
    max_model_len: int = 8192
    draft_length: int = 256
    verify_batch: int = 0
    confidence_gate: float | None = None
    lenience: float = 1.0
    local_patience: float | None = None
    patience: Patience = field(default_factory=Patience)
