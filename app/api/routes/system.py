"""GET /v1/models for clients, and GET /health, /ready and /metrics for operators."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.auth import Caller, CallerDep, find_model
from app.api.dependencies import Parts, PartsDep
from app.api.metrics import CONTENT_TYPE
from app.api.readiness import Readiness, readiness_of
from app.api.schemas.models import ModelList, ModelOut, ModelsQuery
from app.api.schemas.ready import Ready
from app.api.workers import Workers
from app.errors import Forbidden, ModelNotFound, ProfileNotFound
from app.remote.interface import ModelCard

router = APIRouter(tags=["System"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Liveness: the server answers. Does not check the remote."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"model": Ready, "description": "Not ready; the reasons say why."}})
async def ready(
    parts: PartsDep, readiness: Annotated[Readiness, Depends(readiness_of)], response: Response
) -> Ready:
    """Readiness: whether replies can be written now; for each part, why it is not ready. Up to 2 s old."""
    report = await readiness.report(parts)
    response.status_code = 200 if report.ready else 503
    return Ready.of(report.parts, report.alignment, readiness.proxy, report.remotes)


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, caller: CallerDep) -> Response:
    """Counts, seconds and tokens since the start, for Prometheus; of several workers with a label for each.
    Needs an admin key if keys are required."""
    caller.must_be_admin("read the metrics")
    workers: Workers = request.app.state.workers
    return Response(await workers.text(), media_type=CONTENT_TYPE)


@router.get("/v1/models", summary="List the models")
@router.get("/v1/models/", include_in_schema=False)  # or the next route would match it
async def models(query: Annotated[ModelsQuery, Query()], parts: PartsDep, caller: CallerDep) -> ModelList:
    """The models that the remote lists now, and the aliases of the setting. One of the remote's is steered;
    requests for another are passed on."""
    steered = await parts.remote.card()
    cards = await parts.remote.cards()
    cards += [card for alias in parts.aliases if (card := await _of_alias(parts, caller, alias, cards))]
    if query.aliases:
        cards += [_alias(steered, profile_id) for profile_id in await _profiles(parts, caller)]
    return ModelList(data=[ModelOut.of(card) for card in cards])


@router.get("/v1/models/{model:path}", summary="Read a model")
async def read_model(model: str, parts: PartsDep, caller: CallerDep) -> ModelOut:
    """A model of the list, or `name@profile` of the steered one."""
    name, profile_id = await find_model(parts, model)
    cards = await parts.remote.cards(fresh=False)
    if model in parts.aliases and (aliased := await _of_alias(parts, caller, model, cards)):
        return ModelOut.of(aliased)
    (card,) = [card for card in cards if card.id == name][:1]
    if profile_id is None:
        return ModelOut.of(card)
    if name != (await parts.remote.card()).id:
        raise ModelNotFound(f"{name!r} is passed on unsteered; name it without a profile.")
    try:
        caller.may_use(profile_id)
        await asyncio.to_thread(parts.store.profiles.get, profile_id)
    except (Forbidden, ProfileNotFound):
        raise ModelNotFound(
            f"There is no model {model!r} here. ?aliases=true lists those there are."
        ) from None
    return ModelOut.of(_alias(card, profile_id))


async def _of_alias(parts: Parts, caller: Caller, alias: str, cards: list[ModelCard]) -> ModelCard | None:
    """The card of a setting's alias: that of the model it stands for. None if the remote has a model of that
    name or none that it stands for, or if it stands for one with a profile that is not the caller's."""
    try:
        name, profile_id = await find_model(parts, parts.aliases[alias])
    except ModelNotFound:
        return None
    if alias in {card.id for card in cards} or (
        profile_id and profile_id not in await _profiles(parts, caller)
    ):
        return None
    return next((replace(card, id=alias) for card in cards if card.id == name), None)


async def _profiles(parts: Parts, caller: Caller) -> list[str]:
    """The profiles that the caller may use."""
    if caller.profile_id is not None:
        return [caller.profile_id]
    return [stored.profile.id for stored in await asyncio.to_thread(parts.store.profiles.list)]


def _alias(card: ModelCard, profile_id: str) -> ModelCard:
    return replace(card, id=f"{card.id}@{profile_id}", owned_by="costeer")
