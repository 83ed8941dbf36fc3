"""The response headers that say what steering did: the same for every reply that is written here."""

from __future__ import annotations

from app.api.chat.detail import disclosed, milliseconds, why_partly
from app.api.chat.recording import Outcome
from app.decoding.choices import Choices


def steering_headers(choices: Choices) -> dict[str, str]:
    """The headers that say whether the reply is steered, and if not, why."""
    if choices.unsteered is not None:
        return {"X-CoSteer-Steered": "false", "X-CoSteer-Reason": choices.unsteered}
    stats = choices.stats
    if (why := why_partly(stats)) is not None:
        steered = "false" if stats.called and stats.alone == stats.tokens else "partly"
        return {"X-CoSteer-Steered": steered, "X-CoSteer-Reason": why}
    return {"X-CoSteer-Steered": "true"}


def _disclosed_header(choices: Choices) -> dict[str, str]:
    """What the reply told the remote, as a dictionary of RFC 8941, section 3.2."""
    if choices.unsteered is not None:
        return {}
    told = ", ".join(f"{name}={value}" for name, value in disclosed(choices).items())
    return {"X-CoSteer-Disclosed": told}


def reply_headers(choices: Choices, seconds: float, outcome: Outcome | None) -> dict[str, str]:
    """All headers of a reply that is finished; `seconds` is the time since the request arrived."""
    timing = ", ".join(f"{part};dur={ms}" for part, ms in milliseconds(choices, seconds).items())
    return {
        **steering_headers(choices),
        **_disclosed_header(choices),
        "Server-Timing": timing,
        **(outcome.headers() if outcome else {}),
    }
