"""From settings to parts: the one place where the models, the store and the remote are made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.api.dependencies import Parts
from app.api.received import made, swept
from app.api.responses.stored import StoredResponses
from app.api.turns import Turns
from app.decoding.cache_sweeper import Caches, Sweeper
from app.decoding.conversations import Conversations
from app.decoding.generator import Generator
from app.decoding.request import DecodingConfig
from app.decoding.retry import RetryPolicy
from app.decoding.vocabulary_match import VocabularyMatcher
from app.decoding.warmup import Warmer
from app.local import packages
from app.local.interface import OwnedModel
from app.local.trusted.model import TrustedModel
from app.local.trusted.reading import read_tokenizer
from app.local.trusted.server import TrustedServer
from app.local.weights import SILENT, Progress, resolve
from app.profiles.shelf import MemoryShelves
from app.profiles.store import Store
from app.profiles.store.shelves import StoredShelves
from app.profiles.store.state import remove
from app.prompts.retrieval import Retriever
from app.remote.interface import RemoteModel, RemoteVocabulary
from app.remote.replicas import Replicas
from app.remote.several import SeveralRemotes
from app.remote.simulated import FarTransport
from app.remote.vllm import VLLMRemote
from app.settings.settings import Settings
from app.tokenization.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:  # they import torch, for seconds
    from app.local.engine.runner import ModelRunner
    from app.remote.embedded import EmbeddedRemote

# Where a vLLM shares the CPU with the local model, a draft that runs on past a rejection takes compute from
# it, and a local pass over a few tokens costs little more than over one. Elsewhere draft tokens are free.
SHARED = 6
REMOTE_DRAFT = 256
# Seconds without a byte after which the small model's server counts as gone, where replies wait for it.
UNHURRIED = 600.0


@dataclass(frozen=True)
class Models:
    """The remote and the local model, the matcher of their vocabularies, and the configuration of decoding.
    `small` is the local model again, as one that writes alone; None where a server computes it. `caches` are
    the KV caches of all models in this process."""

    remote: RemoteModel
    local: OwnedModel
    small: EmbeddedRemote | None
    matcher: VocabularyMatcher
    config: DecodingConfig
    caches: tuple[Caches, ...] = ()


@asynccontextmanager
async def open_parts(settings: Settings, progress: Progress = SILENT) -> AsyncIterator[Parts]:
    """The real parts, closed at the end. Raises WeightsError, StoreError, and CoSteerError for a proxy
    setting that cannot be used."""
    async with AsyncExitStack() as stack:
        store = stack.enter_context(Store.open(settings.data_dir))
        alone = stack.enter_context(swept(store.path.parent))
        models = await stack.enter_async_context(open_models(settings, progress))
        shelves = open_shelves(settings, stack, alone=alone)
        generator = Generator(
            models.remote,
            models.local,
            models.matcher,
            models.config,
            conversations=Conversations(shelves),
        )
        retriever = Retriever(store.history, settings.history_top_k, shelves.choices)
        warmer = Warmer(store.profiles.get, partial(generator.warm, bounds=(settings.bounds,)))
        await stack.enter_async_context(warmer.running([one.profile for one in store.profiles.list()]))
        sweeper = Sweeper(store, models.caches, retriever, warmer.soon, shelves)
        await stack.enter_async_context(sweeper.running())
        yield Parts(
            generator,
            store,
            retriever,
            settings.strength,
            models.remote,
            warmer,
            sweeper,
            settings.any_model,
            settings.bounds,
            settings.aliases,
            StoredResponses(shelves.responses),
            Turns(made(settings.data_dir)) if settings.workers > 1 else Turns(),
            shelves.board if isinstance(shelves, StoredShelves) else None,
        )


def open_shelves(settings: Settings, stack: AsyncExitStack, *, alone: bool) -> MemoryShelves | StoredShelves:
    """What is kept of conversations: in this process if it is the only one, else in a file that all workers
    share, closed with the stack. `alone`: no other server uses the folder. Raises StoreError."""
    if settings.workers > 1:
        return stack.enter_context(StoredShelves.open(settings.data_dir))
    if alone:  # what several workers have left is nobody's any more
        remove(settings.data_dir)
    return MemoryShelves()


@asynccontextmanager
async def open_models(
    settings: Settings,
    progress: Progress = SILENT,
    *,
    far: FarTransport | None = None,
    replay: Callable[[RemoteModel], RemoteModel] | None = None,
) -> AsyncIterator[Models]:
    """The models without the database, closed at the end. Raises WeightsError.

    With `far` a vLLM is treated as one on another machine, even if it runs on this one; so is any remote with
    `replay`, which wraps it in one that plays it back.
    """
    async with AsyncExitStack() as stack:
        vllms = [open_vllm(settings, stack, far, url=url) for url in settings.remote_urls]
        here = any(vllm.on_this_machine for vllm in vllms)
        small: _Small = (
            await _trusted(settings, stack, progress)
            if settings.local_base_url
            else _in_process(settings, stack, progress, leave_a_core=here and replay is None)
        )
        caches = [] if small.runner is None else [small.runner]
        remote: RemoteModel
        if vllms:
            remote, known = one_of(vllms, stack), named_vocabulary(settings, progress)
            shared = here and far is None and small.runner is not None
        else:
            # The draft is forward passes in this process too, so gathering draft tokens saves nothing.
            embedded = open_embedded(settings, stack, progress, small.runner)
            remote, known, shared = _as_remote(embedded), None, False
            caches += [] if embedded is small.runner else [embedded]
        if replay is not None:
            remote, shared = replay(remote), False
        matcher = VocabularyMatcher(remote, small.tokenizer, known, alike=small.runner is None)
        config = decoding_config(settings, small.max_model_len, shared=shared)
        alone = _as_remote(small.runner) if small.runner is not None else None
        yield Models(remote, small.model, alone, matcher, config, tuple(caches))


@dataclass(frozen=True)
class _Small:
    """The small model; `runner` where it is in this process."""

    model: OwnedModel
    tokenizer: Tokenizer
    max_model_len: int
    runner: ModelRunner | None = None


def _in_process(
    settings: Settings, stack: AsyncExitStack, progress: Progress, *, leave_a_core: bool
) -> _Small:
    runner = open_local(settings, stack, progress, leave_a_core=leave_a_core)
    from app.local.model import LocalModel  # noqa: PLC0415  # imports torch

    return _Small(LocalModel(runner), runner.tokenizer, runner.max_model_len, runner)


async def _trusted(settings: Settings, stack: AsyncExitStack, progress: Progress) -> _Small:
    """The small model on its server, which may come up later if it need not be asked for the tokenizer."""
    server = open_trusted(settings)
    stack.push_async_callback(server.aclose)
    tokenizer = await trusted_tokenizer(settings, server, progress)
    # How much the server itself takes, the generator asks.
    return _Small(TrustedModel(server, tokenizer, settings.top_logprobs), tokenizer, settings.max_model_len)


async def trusted_tokenizer(
    settings: Settings, server: TrustedServer, progress: Progress = SILENT
) -> Tokenizer:
    """The tokenizer of the small model on its server."""
    return await read_tokenizer(
        server,
        settings.local_tokenizer,
        cache_dir=settings.cache_dir,
        weights_dir=settings.weights_dir,
        progress=progress,
    )


def open_trusted(settings: Settings) -> TrustedServer:
    """The server of the small model that the settings name. Raises CoSteerError for certificates that cannot
    be used."""
    return TrustedServer(
        settings.local_base_url,
        model=settings.served_local_model,
        api_key=settings.local_api_key.get_secret_value(),
        connect_timeout=settings.remote_connect_timeout,
        read_timeout=settings.local_patience if settings.on_local_failure == "unsteered" else UNHURRIED,
        # Where one server is meant for both, it may have one model for both.
        remote_model="" if settings.local_same_server else settings.remote_model,
    )


def _as_remote(runner: ModelRunner) -> EmbeddedRemote:
    from app.remote.embedded import EmbeddedRemote  # noqa: PLC0415  # imports torch

    return EmbeddedRemote(runner)


def open_local(
    settings: Settings, stack: AsyncExitStack, progress: Progress, *, leave_a_core: bool = False
) -> ModelRunner:
    """The local model, closed with the stack. `leave_a_core` is for a vLLM on this machine."""
    return _runner(settings.local_model, settings, stack, progress, leave_a_core=leave_a_core)


def open_embedded(
    settings: Settings, stack: AsyncExitStack, progress: Progress, local: ModelRunner | None
) -> ModelRunner:
    """The remote's model in this process; if it is the local one too, its weights are loaded once."""
    if local is not None and settings.embedded_model == settings.local_model:
        return local
    return _runner(settings.embedded_model, settings, stack, progress)


def one_of(vllms: Sequence[VLLMRemote], stack: AsyncExitStack) -> RemoteModel:
    """One remote, or several of one model as one, closed with the stack."""
    if len(vllms) == 1:
        return vllms[0]
    replicas = Replicas(vllms)
    stack.push_async_callback(replicas.aclose)
    return SeveralRemotes(replicas)


def open_vllm(
    settings: Settings, stack: AsyncExitStack, far: FarTransport | None = None, *, url: str
) -> VLLMRemote:
    """The vLLM at one of the URLs that the settings name, closed with the stack."""
    remote = VLLMRemote(
        url,
        model=settings.remote_model,
        api_key=settings.remote_api_key.get_secret_value(),
        connect_timeout=settings.remote_connect_timeout,
        read_timeout=settings.remote_read_timeout,
        token_timeout=settings.remote_token_timeout,
        transport=far,
        proxy=settings.proxy(url=url),
        spare=None if far is None else True,
        headers=settings.headers,
        session_header=settings.remote_session_header,
    )
    stack.push_async_callback(remote.aclose)
    return remote


def named_vocabulary(settings: Settings, progress: Progress = SILENT) -> RemoteVocabulary | None:
    """The remote's vocabulary, from the tokenizer that COSTEER_REMOTE_TOKENIZER names; None if unset."""
    if not (name := settings.remote_tokenizer):
        return None
    path = resolve(name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir, progress=progress)
    progress.stage(f"Loading the tokenizer of {name}", None)
    # Without transformers where nothing else needs it.
    tokenizer = load_tokenizer(path, "COSTEER_REMOTE_TOKENIZER", fast=bool(settings.local_base_url))
    return RemoteVocabulary(tokenizer, f"by the tokenizer of {Path(name).name}")


def decoding_config(settings: Settings, max_model_len: int, *, shared: bool) -> DecodingConfig:
    """How replies are drafted and verified. `shared`: the remote runs on the same processor."""
    draft_length, verify_batch = (SHARED, SHARED) if shared else (REMOTE_DRAFT, 0)
    return DecodingConfig(
        top_logprobs=settings.top_logprobs,
        max_context_tokens=settings.max_context_tokens,
        max_model_len=max_model_len,
        draft_length=draft_length if settings.draft_length is None else settings.draft_length,
        # A server on this machine may be a tunnel or a router to one that is not.
        longest_draft=REMOTE_DRAFT if settings.draft_length is None else None,
        verify_batch=verify_batch if settings.verify_batch is None else settings.verify_batch,
        confidence_gate=settings.confidence_gate,
        margin=settings.margin,
        local_patience=settings.local_patience if settings.on_local_failure == "unsteered" else None,
        patience=RetryPolicy(settings.remote_patience),
    )


def _runner(
    name: str,
    settings: Settings,
    stack: AsyncExitStack,
    progress: Progress,
    *,
    leave_a_core: bool = False,
) -> ModelRunner:
    packages.require()
    from app.local.engine.runner import ModelRunner  # noqa: PLC0415  # imports torch, for seconds

    path = resolve(name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir, progress=progress)
    progress.stage(f"Loading {name}", None)
    runner = ModelRunner(
        path,
        name=name,
        device=settings.device,
        dtype=settings.dtype,
        max_model_len=settings.max_model_len,
        cache_bytes=settings.kv_cache_mib << 20,
        engine_cache=settings.cache_dir / "engine",
        leave_a_core=leave_a_core,
    )
    stack.callback(runner.close)
    return runner
