"""What becomes of a request with tools: who writes the reply, and by which seed it is drawn."""

from __future__ import annotations

import secrets
from dataclasses import replace

from app.api.dependencies import Parts
from app.api.schemas.steerable import TOOLS
from app.decoding.tool_use import ToolUse
from app.prompts.context import PersonalContext
from app.steering.sampling import SamplingParams
from app.steering.strength import steers


def written_by_itself(parts: Parts, context: PersonalContext) -> str | None:
    """Why nothing steers a reply that a remote which takes requests as they are can write by itself."""
    if parts.remote.passes_on and context.profile is None and not context.preferences:
        return "no profile"
    if parts.remote.passes_on and not steers(context.strength):
        return "strength 0"
    return None


async def left_to_the_remote(parts: Parts, context: PersonalContext, tools: ToolUse) -> str | None:
    """Why a reply that may call tools is the remote's to write: nothing steers it, and the remote takes
    requests as they are, or it is not known how a call begins. None if it is written here.

    Raises TokenizerMismatch, and what the remote raises.
    """
    if (reason := written_by_itself(parts, context)) is not None:
        return reason
    known = not tools.calls or await parts.generator.knows_calls(tools.definitions)
    return None if known else TOOLS


def seeded(sampling: SamplingParams) -> SamplingParams:
    """With a seed: where the remote goes on by itself, it draws again what its draft began with."""
    return sampling if sampling.seed is not None else replace(sampling, seed=secrets.randbits(63))
