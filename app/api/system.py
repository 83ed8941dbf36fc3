"""GET /v1/models and GET /health."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.access import CallerDep
from app.api.deps import PartsDep

router = APIRouter(tags=["System"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Alive: the server answers. Says nothing of the remote."""
    return {"status": "ok"}


@router.get("/v1/models")
async def models(parts: PartsDep, _caller: CallerDep) -> dict[str, Any]:
    """The models that a request can name, in OpenAI's list shape."""
    data = [
        {"id": card.id, "object": "model", "created": 0, "owned_by": "costeer"}
        for card in await parts.writer.models()
    ]
    return {"object": "list", "data": data}
