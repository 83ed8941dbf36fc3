"""The modes that the benchmark compares: ways to write the same reply."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.decoding.request import DecodingConfig

PLAIN, DRAFT, SINGLE = "plain stream", "draft and verify", "one request per token"


@dataclass(frozen=True)
class Mode:
    """How to write a reply; one that is not steered is the remote's own stream.

    A `knob` trades personalisation for speed, so its text is compared with that of draft and verify.
    """

    name: str
    config: DecodingConfig
    steered: bool = True
    knob: bool = False


def modes(
    config: DecodingConfig, *, confidence_gate: float | None = None, margin: float | None = None
) -> tuple[Mode, ...]:
    """The three modes, with the product's own `config` for draft and verify, and one for each knob."""
    found = [
        Mode(PLAIN, config, steered=False),
        Mode(DRAFT, config),
        Mode(SINGLE, replace(config, draft_length=1, longest_draft=None, verify_batch=0)),
    ]
    if confidence_gate is not None:
        gated = replace(config, confidence_gate=confidence_gate)
        found.append(Mode(f"confidence gate {confidence_gate:g}", gated, knob=True))
    if margin is not None:
        found.append(Mode(f"margin {margin:g}", replace(config, margin=margin), knob=True))
    return tuple(found)
