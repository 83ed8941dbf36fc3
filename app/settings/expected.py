"""Describes in words the values that a setting accepts, from its type annotation."""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "the path of a folder, in UTF-8",
}


def expected(setting: FieldInfo) -> str:
    """The accepted values, as words that follow "must be"."""
    kind, limits = _plain(setting.annotation, setting.metadata)
    if get_origin(kind) is Literal:
        *others, last = map(str, get_args(kind))
        return f"{', '.join(others)} or {last}"
    return f"{KINDS.get(kind, 'text, and not empty')}{_range(limits)}"


def _plain(annotation: Any, limits: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    """The type inside `X | None` and Annotated, and its constraints."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return _plain(next(one for one in get_args(annotation) if one is not type(None)), limits)
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        fields = [one.metadata if isinstance(one, FieldInfo) else [one] for one in more]
        return _plain(inner, [*limits, *(limit for field in fields for limit in field)])
    return annotation, limits


def _range(limits: Sequence[Any]) -> str:
    least, above, most = (
        next((getattr(one, name) for one in limits if isinstance(one, kind)), None)
        for kind, name in ((Ge, "ge"), (Gt, "gt"), (Le, "le"))
    )
    if least is not None:
        return f" from {least} to {most}" if most is not None else f", {least} or more"
    if above is not None:
        return f" above {above}" + (f", of at most {most}" if most is not None else "")
    return ""
