"""create_app(settings): the one place where the parts are wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from app import __version__
from app.api import chat, docs, failures, history, limits, passthrough, preview, profiles, system
from app.api.deps import Parts
from app.draft import RemoteModel
from app.embedded import EmbeddedRemote
from app.local import LocalModel
from app.remote import VLLMRemote
from app.retrieval import Retriever
from app.runner import ModelRunner
from app.settings import EMBEDDED, Settings
from app.store import Store
from app.weights import SILENT, Progress, resolve
from app.writer import Tuning, Writer

# Where both models share a processor, a draft that runs on past a rejection takes time from the other, and a
# local pass over a few tokens costs little more than over one. Elsewhere the remote's tokens are free.
SHARED = 6
REMOTE_DRAFT = 256


def create_app(settings: Settings, parts: Parts | None = None) -> FastAPI:
    """The application. It builds its parts from the settings when it starts, unless it is handed some."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.parts = parts or await stack.enter_async_context(open_parts(settings))
            yield

    app = FastAPI(
        title="CoSteer",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=failures.DOCUMENTED,
    )
    failures.install(app)
    limits.install(app)
    docs.install(app)
    for part in (chat, profiles, preview, history, system, passthrough):
        app.include_router(part.router)
    return app


@asynccontextmanager
async def open_parts(settings: Settings, progress: Progress = SILENT) -> AsyncIterator[Parts]:
    """The real parts; what they hold is freed at the end. Raises WeightsError and StoreError."""
    async with AsyncExitStack() as stack:
        store = stack.enter_context(Store.open(settings.data_dir))
        remote: RemoteModel
        if settings.remote_base_url == EMBEDDED:
            local = _runner(settings.local_model, settings, stack, progress)
            # With one model in both roles its weights are loaded once.
            same = settings.embedded_model == settings.local_model
            embedded = local if same else _runner(settings.embedded_model, settings, stack, progress)
            remote, shared = EmbeddedRemote(embedded), True
        else:
            remote = VLLMRemote(
                settings.remote_base_url,
                model=settings.remote_model,
                api_key=settings.remote_api_key.get_secret_value(),
                connect_timeout=settings.remote_connect_timeout,
                read_timeout=settings.remote_read_timeout,
            )
            stack.push_async_callback(remote.aclose)
            shared = remote.on_this_machine
            local = _runner(settings.local_model, settings, stack, progress, leave_a_core=shared)
        draft_length, verify_batch = (SHARED, SHARED) if shared else (REMOTE_DRAFT, 0)
        tuning = Tuning(
            top_logprobs=settings.top_logprobs,
            max_context_tokens=settings.max_context_tokens,
            max_model_len=local.max_model_len,
            draft_length=draft_length if settings.draft_length is None else settings.draft_length,
            verify_batch=verify_batch if settings.verify_batch is None else settings.verify_batch,
        )
        writer = Writer(remote, LocalModel(local), local.tokenizer, tuning)
        retriever = Retriever(store.history, settings.history_top_k)
        yield Parts(writer, store, retriever, settings.strength, remote)


def _runner(
    name: str,
    settings: Settings,
    stack: AsyncExitStack,
    progress: Progress,
    *,
    leave_a_core: bool = False,
) -> ModelRunner:
    path = resolve(name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir, progress=progress)
    progress.stage(f"Loading {name}", None)
    runner = ModelRunner(
        path,
        name=name,
        device=settings.device,
        dtype=settings.dtype,
        max_model_len=settings.max_model_len,
        leave_a_core=leave_a_core,
    )
    stack.callback(runner.close)
    return runner
