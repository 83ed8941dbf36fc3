"""Authentication: which profiles a request's API key gives access to, and which one a chat request uses."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers

from app.api.dependencies import Parts, PartsDep
from app.api.middleware.origins import KeylessAccess, refuse_other_pages, refuse_strangers
from app.errors import Forbidden, InvalidRequest, ModelNotFound, Unauthorized
from app.profiles.profile import Profile
from app.profiles.store import Store
from app.profiles.store.keys import PREFIX

BEARER = HTTPBearer(
    auto_error=False,
    description="A key of `costeer keys create`. None is needed until there is an admin key.",
)


# One of our keys, anywhere in the header; a placeholder like my-costeer-key is not one.
OURS = re.compile(rf"(?<![\w-]){PREFIX}")


WELL_FORMED = re.compile(rf"bearer\s+({PREFIX}\S+)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Caller:
    """The sender of a request. `profile_id` is the only profile that it may use; None means all. `key_id` is
    the key's that came with the request; None means that there was none."""

    profile_id: str | None = None
    key_id: int | None = None

    def may_use(self, profile_id: str) -> None:
        """Raises Forbidden for other profiles, whether they exist or not."""
        if self.profile_id not in {None, profile_id}:
            raise Forbidden(
                f"This API key opens the profile {self.profile_id!r} only. Use that one, or an admin key."
            )

    def must_be_admin(self, what: str) -> None:
        """Raises Forbidden for a profile's key; `what` names the action in the message."""
        if self.profile_id is not None:
            raise Forbidden(
                f"This API key opens the profile {self.profile_id!r} only; to {what} takes an admin key."
            )


async def caller_of(
    request: Request,
    parts: PartsDep,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
) -> Caller:
    """The caller, identified by the request's API key.

    Until there is an admin key, a request without one of our keys may do everything, as anybody who can read
    the database may anyway, unless middleware/origins.py rejects it. An unknown key in our format is always
    rejected, since it may have been deleted. Raises Unauthorized or Forbidden.
    """
    secret = _secret(", ".join(request.headers.getlist("authorization")))
    if secret is not None:
        key = await asyncio.to_thread(parts.store.keys.identify, secret)
        if key is None:
            raise Unauthorized("This API key does not exist (any more). `costeer keys create` makes one.")
        return Caller(key.profile_id, key.id)
    required = parts.store.keys.still_required()
    if required is None:
        required = await asyncio.to_thread(parts.store.keys.required)
    access: KeylessAccess = request.app.state.access
    if required or not access.keyless:
        raise Unauthorized(
            "Send an API key as `Authorization: Bearer costeer-...`. `costeer keys create` makes one."
        )
    refuse_strangers(request.headers, access)
    return Caller()


CallerDep = Annotated[Caller, Depends(caller_of)]


async def key_keeper(request: Request, caller: CallerDep) -> Caller:
    """A caller who may manage API keys. Raises Forbidden for a profile's key, and for another page's request
    without a key."""
    caller.must_be_admin("manage API keys")
    if caller.key_id is None:
        refuse_other_pages(request.headers)
    return caller


KeyKeeperDep = Annotated[Caller, Depends(key_keeper)]


def split_model(model: str, served: list[str]) -> tuple[str, str | None]:
    """Splits `name@profile`; a served model may have an @ in its own name, and is not split."""
    name, at, profile_id = model.rpartition("@")
    return (name, profile_id) if at and profile_id and model not in served else (model, None)


async def choose_profile(
    store: Store, caller: Caller, header: str | None, field: str | None, alias: str | None
) -> Profile | None:
    """The profile of a request: named by the header, the body field or `model` (after its @), else the API
    key's, else the default one, if there is one.

    Raises ProfileNotFound, Forbidden, and InvalidRequest if the request names two different profiles.
    """
    named = {
        "the X-CoSteer-Profile header": header,
        "the profile field": field,
        "model (behind its @)": alias,
    }
    ways = [way for way, profile_id in named.items() if profile_id]
    if len({named[way] for way in ways}) > 1:
        told = f"{', '.join(ways[:-1])} and {ways[-1]}"
        raise InvalidRequest(
            f"{told[0].upper()}{told[1:]} name different profiles. Send one of them.", param="profile"
        )
    if header == "":
        raise InvalidRequest(
            "The X-CoSteer-Profile header is empty; name a profile, or leave it out.",
            param="X-CoSteer-Profile",
        )
    wanted = header or field or alias or caller.profile_id
    if wanted is None:
        return await asyncio.to_thread(store.profiles.default)
    caller.may_use(wanted)
    return await asyncio.to_thread(store.profiles.get, wanted)


def refuse_several(headers: Headers, *names: str) -> None:
    """Raises InvalidRequest for a header that comes more than once, with different values."""
    for name in names:
        if len(set(headers.getlist(name))) > 1:
            raise InvalidRequest(f"The header {name} comes with different values. Send it once.", param=name)


def _secret(authorization: str) -> str | None:
    """Our key in the Authorization header; None if it holds none, or a placeholder or another service's key.

    Raises Unauthorized for our key in a malformed header: without a key the request might have more access.
    """
    if OURS.search(authorization) is None:
        return None
    match = WELL_FORMED.fullmatch(authorization)
    if match is None:
        raise Unauthorized(
            "Send the API key as `Authorization: Bearer costeer-...`, once and without quotes."
        )
    return match[1]


# An alias of the steered model.
DEFAULT = "default"


async def find_model(parts: Parts, model: str) -> tuple[str, str | None]:
    """The remote's model and the profile, if any, of `name` or `name@profile`.

    `name` is a model that the remote lists; else `default`, which means the steered model, or an alias of the
    setting; with `any_model` every other name means the steered model as well. The cached list is refreshed
    only for a name that is none of these. Does not check that the profile exists. Raises ModelNotFound,
    InvalidRequest for an alias of one profile with another, and the remote's errors.
    """
    steered = (await parts.remote.card()).id
    if model == steered:
        return model, None
    served: list[str] = []
    for fresh in (False, True):
        served = [card.id for card in await parts.remote.cards(fresh=fresh)]
        name, profile_id = split_model(model, served)
        if name in served:
            return name, profile_id
        if name == DEFAULT:
            return steered, profile_id
        if name in parts.aliases:
            return await _aliased(parts, name, profile_id)
    if parts.any_model:
        return steered, split_model(model, served)[1]
    others = [name for name in (*served, *parts.aliases) if name != steered]
    raise ModelNotFound(
        f"There is no model {model!r} here. Use {', '.join(repr(name) for name in (steered, *others))}, or "
        f"{DEFAULT!r} for the first. COSTEER_MODEL_ALIASES gives it more names, and COSTEER_ANY_MODEL=true "
        "lets any name stand for it."
    )


async def _aliased(parts: Parts, alias: str, profile_id: str | None) -> tuple[str, str | None]:
    """What an alias stands for, with the profile that the request names behind it."""
    try:
        name, own = await find_model(parts, parts.aliases[alias])
    except ModelNotFound as error:
        raise ModelNotFound(f"{alias!r} stands for no model, by COSTEER_MODEL_ALIASES. {error}") from error
    if own and profile_id and own != profile_id:
        raise InvalidRequest(
            f"{alias!r} has a profile by COSTEER_MODEL_ALIASES. Name it without another one.", param="model"
        )
    return name, profile_id or own
