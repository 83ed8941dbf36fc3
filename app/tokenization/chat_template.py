"""Chat templates as transformers renders them, without it: code of others, in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

# What stands at the end of the final message while it is rendered, so that the text can be cut there.
TAG = "CONTINUE_FINAL_MESSAGE_TAG "
DEFAULT, WITH_TOOLS = "default", "tool_use"


class ChatTemplates:
    """A model's templates: the usual one, and perhaps another for conversations with tools."""

    def __init__(self, sources: Mapping[str, str], special: Mapping[str, str]) -> None:
        """`sources`: templates by their names, of which DEFAULT has to be one. `special`: the special tokens
        by their names in templates, as bos_token. Raises ValueError for one that cannot be read."""
        environment = _environment()
        self._special = dict(special)
        try:
            self._templates = {name: environment.from_string(source) for name, source in sources.items()}
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"its chat template cannot be read: {error.message}.") from error

    def render(
        self,
        conversation: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None,
        add_generation_prompt: bool,
        continue_final_message: bool,
        **variables: Any,
    ) -> str:
        """The rendered conversation; `variables` are the template's own. Raises ValueError where the final
        message cannot be continued, and what the template raises."""
        if not conversation:
            raise ValueError("there is no message")
        # Templates often fail at a key without a value, and none fails without the key.
        messages = [{name: value for name, value in one.items() if value is not None} for one in conversation]
        if continue_final_message:
            if "content" not in messages[-1]:
                raise ValueError("the final message has no text")
            messages[-1]["content"] = f"{messages[-1]['content']}{TAG}"
        name = WITH_TOOLS if tools is not None and WITH_TOOLS in self._templates else DEFAULT
        text = self._templates[name].render(
            messages=messages,
            tools=[dict(tool) for tool in tools] if tools is not None else None,
            documents=None,
            **{**self._special, **variables},
            add_generation_prompt=add_generation_prompt,
        )
        return _cut(text, str(conversation[-1]["content"])) if continue_final_message else text


def _cut(text: str, final: str) -> str:
    """The text up to the end of the final message. Raises ValueError, which does not quote it."""
    at = text.rfind(TAG.strip())
    if at < 0 or final.strip() not in text:
        raise ValueError("the template changes the final message")
    if text[at : at + len(TAG)] == TAG:
        return text[:at]
    return text[:at].rstrip()  # the template trims messages


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    environment.globals["dict"] = _Dict()
    environment.globals["namespace"] = _Namespace
    return environment


class Generation(Extension):
    """The tag {% generation %}, around what an assistant said: it renders what is in it, in a scope of its
    own."""

    tags = {"generation"}  # noqa: RUF012  # jinja's own declaration

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = list(parser.parse_statements(("name:endgeneration",), drop_needle=True))
        return jinja2.nodes.Scope(body).set_lineno(line)


class _Dict:
    """Makes dicts, and has nothing else of the class."""

    def __call__(self, *given: Any, **named: Any) -> dict[Any, Any]:
        return dict(*given, **named)

    def fromkeys(self, *given: Any) -> dict[Any, Any]:
        return dict.fromkeys(*given)


class _Namespace(Namespace):
    """Without attributes that begin with an underscore, which lead out of a sandbox."""

    def __init__(*given: Any, **named: Any) -> None:  # `self` may be an attribute's name
        self, *rest = given
        attributes = dict(*rest, **named)
        for name in attributes:
            _check_attribute(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_attribute(name)
        super().__setitem__(name, value)


def _check_attribute(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError("chat templates may not name an attribute with an underscore in front")


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja's own would escape HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
