"""One model in this process: its weights, its tokenizer, and the one thread that runs forward passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from app.errors import ContextLengthExceeded, WeightsError
from app.kv_cache import KVCache
from app.tokenizer import Tokenizer

T = TypeVar("T")

PREFILL_CHUNK = 256  # tokens a pass of a long prompt; bounds the memory of its attention mask
KEPT_CACHES = 4  # idle KV caches kept for conversations that go on


def pick_device(wanted: str) -> torch.device:
    """`auto` takes CUDA, then Apple's GPU, then the CPU."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` takes bfloat16 where the hardware multiplies it natively, else float16 on a GPU, else float32.

    A CPU without such instructions emulates bfloat16, which was slower than float32 in prefill.
    """
    if wanted != "auto":
        dtype: torch.dtype = getattr(torch, wanted)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    capable = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if capable else torch.float32


def grouped_attention(  # noqa: PLR0917  # transformers calls it so
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Grouped-query attention that copies no keys: a group's query heads become further query rows.

    query [B, H, n, D]; key, value [B, G, keys, D], H a multiple of G; mask [B, 1, n, keys], True = sees.
    Returns [B, n, H, D]. transformers' own repeats every key H/G times in memory, which on a CPU costs more
    than the attention itself once the context is long.
    """
    batch, heads, new, size = query.shape
    share = heads // key.shape[1]
    if attention_mask is not None and share > 1:
        attention_mask = attention_mask.repeat(1, 1, share, 1)
    rows = query.reshape(batch, key.shape[1], share * new, size)
    out = F.scaled_dot_product_attention(rows, key, value, attn_mask=attention_mask, scale=scaling)
    return out.reshape(batch, heads, new, size).transpose(1, 2).contiguous(), None


AttentionInterface.register("costeer_grouped", grouped_attention)


class ModelRunner:
    """A causal language model that extends KV caches. Every forward pass runs on its one worker thread."""

    def __init__(
        self,
        path: str,
        *,
        name: str = "",
        device: str = "auto",
        dtype: str = "auto",
        max_model_len: int = 8192,
        leave_a_core: bool = False,
    ) -> None:
        """Load from a folder or hub id that transformers takes. Raises WeightsError with what to change.

        `leave_a_core` is for a vLLM on this machine. It waits for work by spinning, and a forward pass that
        uses every core waits for the thread that shares its core: 1 s a pass was seen in place of 30 ms.
        """
        if leave_a_core:
            torch.set_num_threads(max(1, torch.get_num_threads() - 1))
        # A path says where things lie on this machine; its last part is enough of a name.
        self.name = Path(name or path).name if Path(name or path).exists() else name or path
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self._model, positions = _load(path, self.device, self.dtype)
        self.tokenizer = Tokenizer(path, _eos_ids(self._model))
        self.max_model_len = min(max_model_len, positions)
        self._idle: list[KVCache] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forward")

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` on the worker thread, in the order of calls."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    @asynccontextmanager
    async def cache(self, sequences: Sequence[Sequence[int]]) -> AsyncIterator[KVCache]:
        """Lend a cache with one row for each of `sequences`: the idle one that saves most, or a new one.

        An idle cache is taken over when at least half of what it holds is of use, so that a new
        conversation does not wipe out another's; at the limit the least recently used one goes. A pass that
        still runs when the borrower leaves does no harm: caches change on the worker thread only, and the
        next borrower's first pass queues behind it.
        """
        fitting = [(cache, _shared(cache, sequences)) for cache in self._idle if cache.rows == len(sequences)]
        useful = [(cache, shared) for cache, shared in fitting if 2 * shared >= cache.length > 0]
        if useful:
            cache, _ = max(useful, key=lambda pair: pair[1])
        elif fitting and len(self._idle) >= KEPT_CACHES:
            cache, _ = fitting[0]
        else:
            cache = KVCache(len(sequences))
        if cache in self._idle:
            self._idle.remove(cache)
        try:
            yield cache
        finally:
            self._idle.append(cache)
            del self._idle[:-KEPT_CACHES]

    def check_length(self, tokens: int) -> None:
        """Raise ContextLengthExceeded when a prompt of so many tokens leaves no room for a reply."""
        if tokens >= self.max_model_len:
            raise ContextLengthExceeded(
                f"The conversation has {tokens} tokens and the model {self.name} takes {self.max_model_len}, "
                "prompt and reply together. Shorten the messages or raise COSTEER_MAX_MODEL_LEN."
            )

    @torch.inference_mode()
    def extend(self, cache: KVCache, sequences: Sequence[Sequence[int]], keep: int) -> torch.Tensor:
        """Make `cache` hold `sequences` and return the logits after each of their last `keep` tokens.

        Returns float32 [rows, keep, V] on the CPU. Of each row, the longest prefix that the cache holds is
        reused and the rest of the old row rolled back. Runs on the calling thread: use it through `run`.
        """
        pending: list[Sequence[int]] = []
        for row, sequence in enumerate(sequences):
            reused = min(common_prefix(cache.tokens[row], sequence), len(sequence) - keep)
            cache.rollback(row, reused)
            pending.append(sequence[reused:])
        together = min(len(ids) for ids in pending)
        # Where one row lacks more than the other, that part runs alone: padding would cost as much again.
        for row, ids in enumerate(pending):
            for chunk in _chunks(ids[: len(ids) - together]):
                self._forward(cache, range(row, row + 1), [chunk], 1)
        tails = [ids[len(ids) - together :] for ids in pending]
        rows = range(len(sequences))
        for start in range(0, together - keep, PREFILL_CHUNK):
            stop = min(start + PREFILL_CHUNK, together - keep)
            self._forward(cache, rows, [ids[start:stop] for ids in tails], 1)
        return self._forward(cache, rows, [ids[together - keep :] for ids in tails], keep).float().cpu()

    def _forward(self, cache: KVCache, rows: range, ids: Sequence[Sequence[int]], keep: int) -> torch.Tensor:
        positions, mask = cache.begin(rows, len(ids[0]))
        output = self._model(
            input_ids=torch.tensor(ids, device=self.device),
            position_ids=positions.to(self.device),
            attention_mask=mask.to(self.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        cache.commit(ids)
        logits: torch.Tensor = output.logits
        return logits


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading token ids two sequences share."""
    shorter = min(len(left), len(right))
    if left[:shorter] == right[:shorter]:
        return shorter
    return next(i for i in range(shorter) if left[i] != right[i])


def _shared(cache: KVCache, sequences: Sequence[Sequence[int]]) -> int:
    return sum(common_prefix(held, ids) for held, ids in zip(cache.tokens, sequences, strict=True))


def _chunks(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + PREFILL_CHUNK] for start in range(0, len(ids), PREFILL_CHUNK)]


def _load(path: str, device: torch.device, dtype: torch.dtype) -> tuple[Any, int]:
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the caller has its own
    try:
        config = AutoConfig.from_pretrained(path)
        windows = set(getattr(config, "layer_types", None) or ["full_attention"]) - {"full_attention"}
        if windows:
            raise WeightsError(
                f"The model {path} has layers of kind {', '.join(sorted(windows))}; only models with full "
                "attention in every layer can be the local or embedded model. Choose another."
            )
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, attn_implementation="costeer_grouped"
        )
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The model {path} cannot be loaded: {str(error).strip().splitlines()[0]} "
            "Set it to a bundle of `costeer models list`, a hub id, or a folder with transformers' files."
        ) from error
    finally:
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    model.requires_grad_(False).to(device)
    return model, int(getattr(config, "max_position_embeddings", 1 << 30))


def _eos_ids(model: Any) -> frozenset[int]:
    eos = model.generation_config.eos_token_id
    return frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])
