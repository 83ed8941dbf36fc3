"""Strips a JSON body of what must not leave the device: labels and this proxy's fields, at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any

from app.api.schemas.chat_fields import LABELS, OWN

KEPT_HERE = OWN | LABELS
# Between the steps of a field's name in a form or query.
STEPS = re.compile(r"[][.]+")
# Fields whose strings are model names, possibly `name@profile`.
MODELS = frozenset({"model", "models"})
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
    """A stripped JSON value. `aliases` are the places, as container and key, of model names that may still
    name a profile. `changed`: something was removed."""

    value: Any
    changed: bool = False
    aliases: list[tuple[Any, Any]] = field(default_factory=list)


def public(value: Any) -> Public:
    """Strips the value in place: a request, requests in a list or in another's field (batches), messages,
    items and parts."""
    found = Public(value)
    waiting = [value]
    while waiting:  # no recursion: the value may be as deep as the parser allows
        node = waiting.pop()
        if isinstance(node, list):
            waiting += [one for one in node if isinstance(one, dict | list)]  # not a million token ids
        elif isinstance(node, dict):
            for name in [name for name in node if is_kept_here(name)]:
                del node[name]
                found.changed = True
            for name in MODELS & node.keys():
                found.aliases += _aliases(node, name)
            waiting += [
                one for name, one in node.items() if isinstance(one, dict | list) and not _is_data(name, one)
            ]
    return found


def is_kept_here(name: str) -> bool:
    """Whether a field stays on the device; metadata[topic], extra_body[user] and User do as well."""
    return not KEPT_HERE.isdisjoint(step.strip() for step in STEPS.split(name.lower()))


def names_model(name: str) -> bool:
    return not MODELS.isdisjoint(step.strip() for step in STEPS.split(name.lower()))


def _is_data(name: str, value: object) -> bool:
    # An `input` object is a tool's arguments in Anthropic's API; a list is the conversation of a response.
    return name in DATA or (name == "input" and isinstance(value, dict))


def _aliases(node: MutableMapping[str, Any], name: str) -> Iterator[tuple[Any, Any]]:
    value = node[name]
    if isinstance(value, str) and "@" in value:
        yield node, name
    if isinstance(value, MutableSequence):
        for number, one in enumerate(value):
            if isinstance(one, str) and "@" in one:
                yield value, number
