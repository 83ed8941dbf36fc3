"""Strips a JSON body of what must not leave the device: labels and this proxy's fields, at any depth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.api.schemas.chat_fields import LABELS, OWN

# Preferences belong into `costeer`, but are as private where a client puts them beside it.
KEPT_HERE = OWN | LABELS | {"client_metadata", "preference", "preferences"}
# Between the steps of a field's name in a form or query.
STEPS = re.compile(r"[][.]+")
# Fields whose strings, at any depth, are model names, possibly `name@profile`: also those of an object that
# describes a model, and of requests to fall back to, but for what is said in these.
MODELS = frozenset({"fallbacks", "model", "models"})
SAID = frozenset({"content", "input", "messages", "prompt", "stop"})
# Fields that hold a client's own data, in which `user` or `metadata` may mean anything: schemas of tools and
# replies, a tool's arguments and output, documents, template variables. Nothing is stripped inside them.
DATA = frozenset(
    """
    arguments chat_template_kwargs documents functions guided_json input_schema json_schema logit_bias
    media_io_kwargs mm_processor_kwargs output parameters response_format schema structured_outputs tools
    variables vllm_xargs
    """.split()  # noqa: SIM905
)


@dataclass
class Public:
    """A stripped JSON value. `aliases` are the places, as container and key, of model names that may be this
    proxy's own, as `name@profile` is. `changed`: something was removed."""

    value: Any
    changed: bool = False
    aliases: list[tuple[Any, Any]] = field(default_factory=list)


def names_profile(model: str) -> bool:
    """Whether a model's name may have a profile's behind it."""
    return "@" in model


def public(value: Any, own_name: Callable[[str], bool] = names_profile) -> Public:
    """Strips the value in place: a request, requests in a list or in another's field (batches), messages,
    items and parts. `own_name`: whether a model's name may be this proxy's own."""
    found = Public(value)
    # With each node, whether a field above it names models.
    waiting = [(value, False)] if isinstance(value, dict | list) else []
    while waiting:  # no recursion: the value may be as deep as the parser allows
        node, models = waiting.pop()
        if isinstance(node, dict):
            for name in [name for name in node if is_kept_here(name) or _tells_steering(name, node[name])]:
                del node[name]
                found.changed = True
        for key, one, named in _inside(node, models):
            if isinstance(one, str):
                if named and own_name(one):
                    found.aliases.append((node, key))
            elif isinstance(one, dict | list) and not is_data(key, one):
                waiting.append((one, named))
    return found


def _tells_steering(name: str, value: object) -> bool:
    """Whether a field of an earlier reply, sent back, has steered log-probabilities."""
    return name in ("logprobs", "top_logprobs") and bool(value) and isinstance(value, dict | list)


def is_kept_here(name: str) -> bool:
    """Whether a field stays on the device; metadata[topic], extra_body[user] and User do as well."""
    return not KEPT_HERE.isdisjoint(step.strip() for step in STEPS.split(name.lower()))


def names_model(name: str) -> bool:
    return not MODELS.isdisjoint(step.strip() for step in STEPS.split(name.lower()))


def _inside(node: Any, models: bool) -> Iterator[tuple[str | int, Any, bool]]:
    """The keys and values of a dict or list, each with whether strings there are model names.

    `models`: the node itself is the value of a field that names models.
    """
    if isinstance(node, list):
        yield from ((number, one, models) for number, one in enumerate(node))
    else:
        yield from (
            (name, one, names_model(name) or (models and name not in SAID)) for name, one in node.items()
        )


def is_data(key: str | int, value: object) -> bool:
    """Whether a value is a client's own data."""
    # An `input` object is a tool's arguments in Anthropic's API; a list is the conversation of a response.
    return key in DATA or (key == "input" and isinstance(value, dict))
