"""The Dockerfile, its context, compose.yaml and nginx.conf, read as their tools read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DIRECTIVE = re.compile(r"[^;{}]+[;{]")
VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as pairs like (`RUN`, `python -m venv ...`), in order."""
    lines = (DOCKER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    pairs = [line.partition(" ") for line in text.splitlines() if line]
    return [(name, rest.strip()) for name, _, rest in pairs]


def arguments_of(instruction: str) -> list[str]:
    """What follows the instruction, each time."""
    return [rest for name, rest in instructions() if name == instruction]


def image_environment() -> dict[str, str]:
    """What ENV sets in the image that is the result."""
    last = max(number for number, (name, _) in enumerate(instructions()) if name == "FROM")
    words = [word for name, rest in instructions()[last:] if name == "ENV" for word in rest.split()]
    return dict(word.split("=", 1) for word in words)


def context() -> list[str]:
    """What the .dockerignore lets in; it begins by leaving everything out."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    return [pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")]


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """The file with each variable at its default."""
    text = (DOCKER / name).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(VARIABLE.sub(lambda match: match[2], text))
    return document


def variables() -> dict[str, str]:
    """What compose.yaml asks the environment for, with its defaults."""
    return dict(VARIABLE.findall((DOCKER / "compose.yaml").read_text(encoding="utf-8")))


def router(name: str) -> list[list[str]]:
    """What follows the directive `name` in nginx.conf, each time, wherever it stands, as words."""
    lines = (DOCKER / "nginx.conf").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    directives = [directive[:-1].split() for directive in DIRECTIVE.findall(text)]
    return [words for first, *words in directives if first == name]
