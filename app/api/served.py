"""Which of the remote's models a request names, and whether with a profile behind an @."""

from __future__ import annotations

from app.api.access import split_model
from app.draft import RemoteModel
from app.errors import ModelNotFound

# Names the model that is steered, whichever that is.
DEFAULT = "default"


async def find_model(remote: RemoteModel, model: str, *, any_name: bool = False) -> tuple[str, str | None]:
    """`name` or `name@profile` as its two halves, of which the first is a model that the remote lists.

    The name `default` stands for the one that is steered, and with `any_name` so does every name that the
    remote does not list. The list is asked for again only for a name that is not in it. Raises ModelNotFound,
    and what the remote raises. Says nothing of whether there is such a profile.
    """
    steered = (await remote.card()).id
    if model == steered:
        return model, None
    served: list[str] = []
    for fresh in (False, True):
        served = [card.id for card in await remote.cards(fresh=fresh)]
        name, profile_id = split_model(model, served)
        if name in served:
            return name, profile_id
        if name == DEFAULT:
            return steered, profile_id
    if any_name:
        return steered, split_model(model, served)[1]
    others = [name for name in served if name != steered]
    raise ModelNotFound(
        f"There is no model {model!r} here. Use {', '.join(repr(name) for name in (steered, *others))}, or "
        f"{DEFAULT!r} for the first; COSTEER_ANY_MODEL=true lets any name stand for it."
    )
