"""From settings to parts: the one place where the models, the store and the remote are made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.api.dependencies import Parts
from app.decoding.cache_sweeper import Caches, Sweeper
from app.decoding.generator import Generator
from app.decoding.request import DecodingConfig
from app.decoding.retry import RetryPolicy
from app.decoding.vocabulary_match import Find, Known, VocabularyMatcher, known
from app.decoding.warmup import Warmer
from app.errors import RemoteRejected, TokenizerMismatch
from app.local.engine.runner import ModelRunner
from app.local.interface import RowModel
from app.local.model import LocalModel
from app.local.weights import SILENT, Progress, resolve
from app.profiles.store import Store
from app.prompts.retrieval import Retriever
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import RemoteModel
from app.remote.simulated import FarTransport
from app.remote.vllm import VLLMRemote
from app.remote.vocabulary import learn_vocabulary
from app.settings.settings import EMBEDDED, Settings
from app.tokenization.tokenizer import Tokenizer, load_tokenizer

# Where a vLLM shares the processor with the local model, a draft that runs on past a rejection takes time
# from it, and a local pass over a few tokens costs little more than over one. Elsewhere its tokens are free.
SHARED = 6


REMOTE_DRAFT = 256


@dataclass(frozen=True)
class Models:
    """The remote and the local model, how they go together, and how they are used. `small` is the local one
    again, as it would write by itself; `caches` are those of all models in this process."""

    remote: RemoteModel
    local: RowModel
    small: EmbeddedRemote
    matching: VocabularyMatcher
    tuning: DecodingConfig
    caches: tuple[Caches, ...] = ()


@asynccontextmanager
async def open_parts(settings: Settings, progress: Progress = SILENT) -> AsyncIterator[Parts]:
    """The real parts; what they hold is freed at the end. Raises WeightsError, StoreError, and CoSteerError
    for a proxy of no use."""
    async with AsyncExitStack() as stack:
        store = stack.enter_context(Store.open(settings.data_dir))
        models = await stack.enter_async_context(open_models(settings, progress))
        writer = Generator(models.remote, models.local, models.matching, models.tuning)
        retriever = Retriever(store.history, settings.history_top_k)
        warmer = Warmer(store.profiles.get, writer.warm)
        await stack.enter_async_context(warmer.running([one.profile for one in store.profiles.list()]))
        sweeper = Sweeper(store, models.caches, retriever, warmer.soon)
        await stack.enter_async_context(sweeper.running())
        yield Parts(
            writer, store, retriever, settings.strength, models.remote, warmer, sweeper, settings.any_model
        )


@asynccontextmanager
async def open_models(
    settings: Settings, progress: Progress = SILENT, *, far: FarTransport | None = None
) -> AsyncIterator[Models]:
    """The models without the database; what they hold is freed at the end. Raises WeightsError.

    With `far` a vLLM is used as one on another machine is, also when it runs on this one.
    """
    async with AsyncExitStack() as stack:
        remote: RemoteModel
        find: Find
        caches: tuple[ModelRunner, ...]
        if settings.remote_base_url == EMBEDDED:
            local = _runner(settings.local_model, settings, stack, progress)
            # With one model in both roles its weights are loaded once.
            same = settings.embedded_model == settings.local_model
            embedded = local if same else _runner(settings.embedded_model, settings, stack, progress)
            caches = (local,) if same else (local, embedded)
            # Drafts and local passes are one and the same, so nothing is to be saved by gathering.
            remote, shared = EmbeddedRemote(embedded), False
            find = known(embedded.tokenizer, embedded.name)
        else:
            vllm = remote = VLLMRemote(
                settings.remote_base_url,
                model=settings.remote_model,
                api_key=settings.remote_api_key.get_secret_value(),
                connect_timeout=settings.remote_connect_timeout,
                read_timeout=settings.remote_read_timeout,
                token_timeout=settings.remote_token_timeout,
                transport=far,
                proxy=settings.proxy(),
                spare=None if far is None else True,
            )
            stack.push_async_callback(remote.aclose)
            shared = remote.on_this_machine and far is None
            local = _runner(
                settings.local_model, settings, stack, progress, leave_a_core=remote.on_this_machine
            )
            caches = (local,)
            find = learned(vllm)
            if name := settings.remote_tokenizer:
                find = known(_named_tokenizer(name, settings, progress), Path(name).name)
        draft_length, verify_batch = (SHARED, SHARED) if shared else (REMOTE_DRAFT, 0)
        tuning = DecodingConfig(
            top_logprobs=settings.top_logprobs,
            max_context_tokens=settings.max_context_tokens,
            max_model_len=local.max_model_len,
            draft_length=draft_length if settings.draft_length is None else settings.draft_length,
            verify_batch=verify_batch if settings.verify_batch is None else settings.verify_batch,
            confidence_gate=settings.confidence_gate,
            lenience=settings.lenience,
            local_patience=settings.local_patience if settings.on_local_failure == "unsteered" else None,
            patience=RetryPolicy(settings.remote_patience),
        )
        matching = VocabularyMatcher(remote, local.tokenizer, find)
        yield Models(remote, LocalModel(local), EmbeddedRemote(local), matching, tuning, caches)


def learned(remote: VLLMRemote) -> Find:
    """The remote's vocabulary, learned from the remote itself."""

    async def find() -> Known:
        try:
            lesson = await learn_vocabulary(remote)
        except RemoteRejected as error:
            raise TokenizerMismatch(
                "The remote's tokenizer is not the local model's, and it does not say what its tokens "
                "spell. Set COSTEER_REMOTE_TOKENIZER to the hub id or folder of its model."
            ) from error
        unknown = f", {lesson.unknown} of its tokens are not known" if lesson.unknown else ""
        return Known(lesson.vocabulary, f"learned from the remote{unknown}")

    return find


def _named_tokenizer(name: str, settings: Settings, progress: Progress) -> Tokenizer:
    path = resolve(name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir, progress=progress)
    progress.stage(f"Loading the tokenizer of {name}", None)
    return load_tokenizer(path, "COSTEER_REMOTE_TOKENIZER")


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
        dtype_file=settings.cache_dir / "dtype.json",
        leave_a_core=leave_a_core,
    )
    stack.callback(runner.close)
    return runner
