"""The text of --help: words instead of types, as wide as the terminal, with examples that can be pasted."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from app.cli.terminal import on_terminal

# Columns of the text: at most, at least, and from which on an option's help stands beside its name.
WIDEST, NARROWEST, BESIDE = 100, 40, 80
# Characters of a command's first sentence in a list, beyond which its part before a colon says enough.
LONG = 75
# Columns that a name may have with its help beside it; and how far the help below a name is indented.
NAME, BELOW = 26, 6
SENTENCE = re.compile(r".+?\.(?=\s|$)", re.DOTALL)
# A word of a shell's line, with its quotes.
SHELL_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")

Rows = Sequence[tuple[str, str]]


class Command(TyperCommand):
    """A command whose help reads well."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_usage(self, ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx))


class Group(TyperGroup):
    """A command with commands of its own, whose help reads well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_usage(self, ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx))


def read_well(app: typer.Typer) -> None:
    """Gives all commands of the application, and of those in it, this help."""
    app.info.cls = Group
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            read_well(group.typer_instance)


def _page(command: Any, ctx: Any) -> str:
    """The whole help of a command."""
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    arguments = [one for one in command.params if one.param_type_name == "argument" and not one.hidden]
    options = [one for one in command.get_params(ctx) if one.param_type_name == "option" and not one.hidden]
    parts = [_usage(command, ctx, width).rstrip(), *_wrapped(command.help or "", width)]
    parts += _section("Arguments", [(_word(one, ctx), _explained(one)) for one in arguments], width)
    if isinstance(command, Group):
        inner = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
        rows = [(name, _summary(one.help or "")) for name, one in inner if one is not None and not one.hidden]
        parts += _section("Commands", rows, width, always_beside=True)
    parts += _section("Options", [(_named(one, ctx), _explained(one)) for one in options], width)
    parts += _wrapped(command.epilog or "", width)
    return "\n\n".join(parts) + "\n"


def _usage(command: Any, ctx: Any, width: int = BESIDE) -> str:
    words = ["[OPTIONS]"]
    for one in command.params:
        if one.param_type_name == "argument" and not one.hidden:
            word = _word(one, ctx) + ("..." if one.nargs != 1 else "")
            words.append(word if one.required else f"[{word}]")
    words += ["COMMAND [ARGS]..."] if isinstance(command, Group) else []
    text = f"Usage: {ctx.command_path} {' '.join(words)}"
    return textwrap.fill(text, width, subsequent_indent=" " * 7, break_on_hyphens=False) + "\n"


def _section(title: str, rows: Rows, width: int, *, always_beside: bool = False) -> list[str]:
    """A heading, and each name with its help beside or below it; nothing if there are no rows."""
    if not rows:
        return []
    heading = typer.style(f"{title}:", bold=True) if on_terminal() else f"{title}:"
    beside = always_beside or width >= BESIDE
    column = min(max(len(name) for name, _ in rows), NAME) + 4 if beside else BELOW
    lines = [heading]
    for name, text in rows:
        indent = " " * column
        wrapped = textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
        if beside and len(name) + 4 <= column and wrapped:
            wrapped[0] = f"  {name}".ljust(column) + wrapped[0].strip()
        else:
            lines += textwrap.wrap(f"  {name}", width, subsequent_indent="    ", break_on_hyphens=False)
        lines += wrapped
    return ["\n".join(lines)]


def _named(option: Any, ctx: Any) -> str:
    """An option's names, and the word for its value."""
    names = ", ".join(sorted(option.opts, key=len))
    names = "/".join([names, *option.secondary_opts])
    return names if option.is_flag or option.count else f"{names} {_word(option, ctx)}"


def _word(parameter: Any, ctx: Any) -> str:
    """The word for a parameter's value: its own, the choices, FILE, N, or the parameter's name."""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = parameter.type_descriptor
    if kind.is_choice:
        return str(parameter.display_type(ctx)).removeprefix("<list[").strip("<>]")
    if kind.is_path:
        return "FILE"
    if kind.is_ranged or re.search(r"\b(int|float)\b", str(kind.annotation)):
        return "N"
    return str(parameter.name).upper().replace("_", "-")


def _explained(parameter: Any) -> str:
    """A parameter's help, with whether it is needed or what it is unless set."""
    text = inspect.cleandoc(parameter.help or "")
    if parameter.required and parameter.param_type_name == "option":
        return f"{text} It is needed."
    default = parameter.default
    default = default.value if isinstance(default, Enum) else default
    told = (
        isinstance(default, int | float | str) and not isinstance(default, bool) and default not in {"", "-"}
    )
    if told and parameter.show_default and "unless set" not in text:
        return f"{text} {f'{default:g}' if isinstance(default, float) else default} unless set."
    return text


def _summary(text: str) -> str:
    """The first sentence, or its beginning."""
    first = " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
    found = SENTENCE.match(first)
    sentence = found[0] if found else first
    return sentence if len(sentence) <= LONG or ": " not in sentence else f"{sentence.partition(': ')[0]}."


def _wrapped(text: str, width: int) -> list[str]:
    """The paragraphs in that width; lines for a shell indented."""
    return [
        "\n".join(_shell_lines(one, width))
        if _is_for_a_shell(one)
        else textwrap.fill(" ".join(one.split()), width, break_on_hyphens=False)
        for one in inspect.cleandoc(text).split("\n\n")
        if one.strip()
    ]


def _is_for_a_shell(paragraph: str) -> bool:
    return "costeer " in paragraph and not paragraph.rstrip().endswith((".", ":"))


def _shell_lines(paragraph: str, width: int) -> Iterator[str]:
    """A shell's line, broken between its words so that it can be pasted."""
    line = "  "
    for word in SHELL_WORD.findall(paragraph):
        # Two more columns, for a backslash.
        if line.strip() and len(line) + 1 + len(word) + 2 > width:
            yield f"{line} \\"
            line = "     "
        line += f"{' ' if line.strip() else ''}{word}"
        while len(line) > width:
            yield line[:width]
            line = line[width:]
    yield line
