"""From pydantic's errors to sentences that name the field and say what it must be, without its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import InvalidRequest

# What pydantic's types of error ask of the client, as the predicate of a sentence about the field.
PREDICATES: Mapping[str, str] = {
    "blank": "must not be blank",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "datetime_type": "must be a time with its zone, like 2026-01-31T09:30:00Z",
    "dict_type": "must be an object",
    "extra_forbidden": "is not supported here; remove it",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing; add it",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be an object",
    "nul": "holds a NUL character; remove it",
    "opposed": "has its own text as its opposite; say what is wanted less, or leave it out",
    "preference": "must be a string, or an object with text and perhaps opposite",
    "repeated": "has the text of [{first}] again; keep one of them",
    "string_pattern_mismatch": "must have 1 to 64 characters, lowercase letters, digits, - and _ only",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "string_unicode": "holds a lone surrogate, half of a character; send whole characters",
    "time": "must be a time with its zone, like 2026-01-31T09:30:00Z",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} item",
}
# The parts of a request beside its body; pydantic's location starts with one of them.
PARAMETERS = {"query", "path", "header", "cookie"}
# A message of thousands of sentences helps nobody.
TOLD = 5
# Of a name in an error; a client can send any.
LENGTH = 200


def refusal(problems: Sequence[Mapping[str, Any]], body: object, *, place: str = "") -> InvalidRequest:
    """One error for the whole: a sentence for each of the first mistakes, `param` of the first one.

    The locations start with the part of the request ("body", "query"); `body` is what was sent. `place`,
    like "line 3", stands before what it is about.
    """
    whole = "it" if place else "The body"
    sentences: dict[str, None] = dict.fromkeys(_sentence(problem, body, whole) for problem in problems[:TOLD])
    if len(problems) > TOLD:
        sentences[f"And {len(problems) - TOLD} more."] = None
    message = " ".join(sentences)
    param = _path(problems[0], body)
    if place:
        message, param = f"{place.capitalize()}: {message}", ", ".join(filter(None, (place, param)))
    return InvalidRequest(message, param=param)


def _path(problem: Mapping[str, Any], body: object) -> str | None:
    """Where the mistake is, as a client would write it: messages[0].content. None is the whole body.

    pydantic's location also names the branches of unions; those are no steps into the body.
    """
    part, *steps = problem["loc"]
    if part in PARAMETERS:
        return str(steps[0])[:LENGTH] if steps else None
    path = ""
    for step in steps:
        if isinstance(step, int) and isinstance(body, list):
            path += f"[{step}]"
            body = body[step] if step < len(body) else None
        elif isinstance(step, str) and isinstance(body, dict) and not _is_branch(step, body):
            path += f".{step}"
            body = body.get(step)
    return path.removeprefix(".")[:LENGTH] or None


def _is_branch(step: str, body: Mapping[str, Any]) -> bool:
    """Whether a step of a location names the branch that an object took."""
    return step.startswith("<") and step not in body


def _sentence(problem: Mapping[str, Any], body: object, whole: str) -> str:
    kind, given = problem["type"], problem.get("ctx", {})
    path = _path(problem, body)
    if kind == "json_invalid":
        return f"The body is not valid JSON: {given['error']} at character {problem['loc'][-1]}."
    if kind == "missing" and path is None:
        return "The body is empty; send a JSON object."
    numbers = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in given.items()}
    # What the schemas word themselves comes as it is.
    predicate = PREDICATES[kind].format(**numbers) if kind in PREDICATES else str(problem["msg"])
    return f"{path or whole} {predicate}."
