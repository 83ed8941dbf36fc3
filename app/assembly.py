"""From settings to parts: the one place where the models, the store and the remote are made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from app.local.engine.runner import ModelRunner
from app.local.interface import RowModel
from app.local.model import LocalModel
from app.local.weights import SILENT, Progress, resolve
from app.profiles.shelf import MemoryShelves
from app.profiles.store import Store
from app.profiles.store.shelves import StoredShelves
from app.profiles.store.state import remove
from app.prompts.retrieval import Retriever
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import RemoteModel, RemoteVocabulary
from app.remote.replicas import Replicas
from app.remote.several import SeveralRemotes
from app.remote.simulated import FarTransport
from app.remote.vllm import VLLMRemote
from app.settings.settings import EMBEDDED, Settings
from app.tokenization.tokenizer import load_tokenizer

# Where a vLLM shares the CPU with the local model, a draft that runs on past a rejection takes compute from
# it, and a local pass over a few tokens costs little more than over one. Elsewhere draft tokens are free.
SHARED = 6
REMOTE_DRAFT = 256


@dataclass(frozen=True)
class Models:
    """The remote and the local model, the matcher of their vocabularies, and the configuration of decoding.
    `small` is the local model again, as one that writes alone; `caches` are the KV caches of all models in
    this process."""

    remote: RemoteModel
    local: RowModel
    small: EmbeddedRemote
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
        remote: RemoteModel
        if settings.remote_base_url == EMBEDDED:
            local = open_local(settings, stack, progress)
            # The draft is forward passes in this process too, so gathering draft tokens saves nothing.
            embedded = open_embedded(settings, stack, progress, local)
            remote, shared, known = EmbeddedRemote(embedded), False, None
            caches: tuple[Caches, ...] = (local,) if embedded is local else (local, embedded)
        else:
            vllms = [open_vllm(settings, stack, far, url=url) for url in settings.remote_urls]
            remote = one_of(vllms, stack)
            here = any(vllm.on_this_machine for vllm in vllms)
            shared = here and far is None
            local = open_local(settings, stack, progress, leave_a_core=here and replay is None)
            known, caches = named_vocabulary(settings, progress), (local,)
        if replay is not None:
            remote, shared = replay(remote), False
        matcher = VocabularyMatcher(remote, local.tokenizer, known)
        config = decoding_config(settings, local.max_model_len, shared=shared)
        yield Models(remote, LocalModel(local), EmbeddedRemote(local), matcher, config, caches)


def open_local(
    settings: Settings, stack: AsyncExitStack, progress: Progress, *, leave_a_core: bool = False
) -> ModelRunner:
    """The local model, closed with the stack. `leave_a_core` is for a vLLM on this machine."""
    return _runner(settings.local_model, settings, stack, progress, leave_a_core=leave_a_core)


def open_embedded(
    settings: Settings, stack: AsyncExitStack, progress: Progress, local: ModelRunner
) -> ModelRunner:
    """The remote's model in this process; if it is the local one too, its weights are loaded once."""
    if settings.embedded_model == settings.local_model:
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
    tokenizer = load_tokenizer(path, "COSTEER_REMOTE_TOKENIZER")
    return RemoteVocabulary(tokenizer, f"by the tokenizer of {Path(name).name}")


def decoding_config(settings: Settings, max_model_len: int, *, shared: bool) -> DecodingConfig:
    """How replies are drafted and verified. `shared`: the remote runs on the same processor."""
    draft_length, verify_batch = (SHARED, SHARED) if shared else (REMOTE_DRAFT, 0)
    return DecodingConfig(
        top_logprobs=settings.top_logprobs,
        max_context_tokens=settings.max_context_tokens,
        max_model_len=max_model_len,
        draft_length=draft_length if settings.draft_length is None else settings.draft_length,
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
