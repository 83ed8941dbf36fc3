"""One model in this process: its weights, its tokenizer, and the forward passes that extend KV caches."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch

from app.errors import ContextLengthExceeded, WeightsError
from app.local.engine.branch import Branch
from app.local.engine.loading import eos_ids, load, read_config
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.engine.prefix_cache import PrefixCache
from app.local.engine.ragged import Part, RaggedBatch
from app.local.engine.scheduler import Job, Lease, Scheduler
from app.tokenization.tokenizer import Tokenizer

T = TypeVar("T")

FEW_CORES = 2  # with so few, a forward pass uses all of them


def pick_device(wanted: str) -> torch.device:
    """`auto` picks CUDA, then Apple's GPU, then the CPU."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class ModelRunner:
    """A causal language model that extends the KV caches of several callers at once."""

    def __init__(
        self,
        path: str,
        *,
        name: str = "",
        device: str = "auto",
        dtype: str = "auto",
        max_model_len: int = 8192,
        cache_bytes: int = 512 << 20,
        engine_cache: Path | None = None,
        leave_a_core: bool = False,
    ) -> None:
        """Load from a folder or hub id that transformers takes. Raises WeightsError with what to change.

        `cache_bytes` is the memory budget of the KV caches; the folder `engine_cache` keeps what is made of
        the model for this machine. `leave_a_core` is for a vLLM on this machine, which busy-waits for work: a
        forward pass on every core waits for its thread that shares a core with vLLM, and took 1 s instead of
        30 ms.
        """
        if (threads := compute_threads(leave_a_core)) != torch.get_num_threads():
            torch.set_num_threads(threads)
        # A path reveals where files lie on this machine; its last part is enough of a name.
        self.name = Path(name or path).name if Path(name or path).exists() else name or path
        self.device = pick_device(device)
        config = read_config(path)
        self.max_model_len = min(max_model_len, int(getattr(config, "max_position_embeddings", 1 << 30)))
        self._decoder = load(
            path,
            config,
            self.device,
            dtype,
            threads=torch.get_num_threads(),
            longest=self.max_model_len,
            cache=engine_cache,
        )
        self.tokenizer = Tokenizer(path, eos_ids(path, config))
        if not self.tokenizer.has_template:
            raise WeightsError(f"The model {path} has no chat template. Choose an instruction-tuned model.")
        self._scheduler = Scheduler(self.forward, PrefixCache(cache_bytes))

    @property
    def cost(self) -> PassCost:
        """What a forward pass costs here."""
        return self._scheduler.cost

    def close(self) -> None:
        self._scheduler.close()

    def owners(self) -> frozenset[Owner]:
        """The owners of the KV caches."""
        return self._scheduler.owners()

    def forget(self, owners: Collection[Owner]) -> None:
        """Drop the KV caches of these owners: idle ones now, those of a running reply when it ends.
        Thread-safe."""
        self._scheduler.forget(owners)

    @contextmanager
    def lease(self, owner: Owner | None = None) -> Iterator[Lease]:
        """KV caches for as long as one caller extends the same sequences; afterwards the same owner can reuse
        them."""
        lease = Lease(owner)
        try:
            yield lease
        finally:
            self._scheduler.release(lease)

    async def extend(
        self,
        lease: Lease,
        sequences: Sequence[Sequence[int]],
        keep: int,
        finish: Callable[[list[torch.Tensor]], T],
        *,
        background: bool = False,
        branches: Sequence[Sequence[Branch]] = (),
    ) -> tuple[T, int]:
        """Make the lease's caches hold `sequences`, and pass `finish` the log-probabilities after their
        last `keep` tokens.

        `finish` is given a float32 tensor [keep, V] per sequence and runs on the scheduler's thread. Returns
        its result, and how many tokens of the sequences were cached before. Of each sequence the longest
        prefix cached for the lease's owner is reused, and the rest of the old cache rolled back. `branches`
        add their own to their sequence's, [keep + tokens of its branches, V], and are not kept in the
        cache. `background` jobs give way to all others.
        """
        job = Job(lease, sequences, keep, finish, background, branches)
        return await self._scheduler.run(job), job.found

    def check_length(self, tokens: int) -> None:
        """Raise ContextLengthExceeded when a prompt of so many tokens leaves no room for a reply."""
        if tokens >= self.max_model_len:
            raise ContextLengthExceeded(
                f"The conversation has {tokens} tokens and the model {self.name} takes {self.max_model_len}, "
                "prompt and reply together. Shorten the messages or raise COSTEER_MAX_MODEL_LEN."
            )

    @torch.inference_mode()
    def forward(self, parts: Sequence[Part]) -> list[torch.Tensor]:
        """Extend the cache of each part by its tokens; returns float32 log-probabilities [kept, V] of each,
        on the CPU.

        Runs on the calling thread: the scheduler's, see `extend`.
        """
        batch = RaggedBatch(parts, self.device)
        try:
            logprobs = self._decoder(batch)
        except Exception:
            for part in parts:
                part.cache.clear()  # some layers have moved their states on, others not
            raise
        batch.commit()
        return batch.split(logprobs.cpu())


def compute_threads(leave_a_core: bool) -> int:
    """How many threads a forward pass uses: where there are enough cores, one is left to the event loop."""
    if leave_a_core or cores() > FEW_CORES:
        return min(torch.get_num_threads(), max(1, cores() - 1))
    return torch.get_num_threads()


def cores() -> int:
    """Cores that this process may use; on systems that do not say, all cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
