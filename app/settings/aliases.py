"""Names of models that clients have built in, and what each stands for."""

from __future__ import annotations

# What requests may call the steered model; see app/api/auth.py.
DEFAULT = "default"
LIKE = "gpt-4o=default,gpt-4o-mini=default@anna"


def read_aliases(value: str) -> dict[str, str]:
    """Each name with what it stands for: a model of the remote or `default`, perhaps with @profile.

    `value` is a list like LIKE. Raises ValueError with what to change, which quotes these names alone.
    """
    found: dict[str, str] = {}
    for number, one in enumerate((part for part in value.split(",") if part.strip()), 1):
        name, _, model = (part.strip() for part in one.partition("="))
        if not (name and model):
            raise ValueError(f"must be names with what each stands for, like {LIKE}; entry {number} is not")
        if name == DEFAULT or "@" in name:
            raise ValueError(f"cannot give {name!r} a meaning; choose a name without @, and not {DEFAULT!r}")
        if name in found:
            raise ValueError(f"has {name!r} twice; remove one of them")
        found[name] = model
    for name, model in found.items():
        if model.partition("@")[0] in found:
            raise ValueError(
                f"lets {name!r} stand for another of its names; name a model of the remote, or {DEFAULT!r}"
            )
    return found
