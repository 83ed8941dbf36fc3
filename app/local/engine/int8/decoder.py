"""Runs a written network in ONNX Runtime, over the KV caches of a ragged batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
import torch.nn.functional as F  # noqa: N812

from app.local.engine.attention import Attention
from app.local.engine.int8.notes import EMBEDDING, GRAPH, SLOTS, Notes
from app.local.engine.kv_cache import KVCache
from app.local.engine.ragged import Part, RaggedBatch
from app.local.engine.rotary import Rotary

UNUSED = Attention(0, [range(1)], torch.device("cpu"))
# Rows that ONNX Runtime attends for in one block, at least; how many depends on the head's size and on the
# processor's cache. Of so many rows and more, the last one may be in a block of its own.
SMALLEST_BLOCK = 16
ERRORS = 3  # of ONNX Runtime's levels of logging: warnings are about the graph, not about what it is given


class Embedding:
    """Rows of floating-point numbers in a file; only those that are looked up are read into memory."""

    def __init__(self, path: Path, dtype: str, scale: float) -> None:
        self._rows = np.load(path, mmap_mode="r")
        self._bits = dtype == "bfloat16"
        self._scale = np.float32(scale)

    def __call__(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """[tokens, hidden size]: the rows of `ids`, scaled."""
        rows = self._rows[list(ids)]
        wide: npt.NDArray[np.float32] = (
            (rows.astype(np.uint32) << 16).view(np.float32) if self._bits else rows.astype(np.float32)
        )
        return wide * self._scale if self._scale != 1.0 else wide


class Int8Decoder:
    """A network with weights in 8 bits. Takes and gives what Decoder does, in float32 on the CPU."""

    def __init__(self, folder: Path, *, threads: int, longest: int) -> None:
        """Load what `write_network` has written; sequences have at most `longest` positions."""
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = ERRORS
        # Between passes the threads would keep a core busy that someone else waits for.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._session = onnxruntime.InferenceSession(
            folder / GRAPH, options, providers=["CPUExecutionProvider"]
        )
        told = self._session.get_modelmeta().custom_metadata_map["notes"]
        self._notes = notes = Notes(**json.loads(told))
        self._embedding = Embedding(folder / EMBEDDING, notes.embedding_dtype, notes.embedding_scale)
        self._binding = self._session.io_binding()
        self._unused = KVCache()
        self._used = SLOTS  # in the last pass; those that were not are bound already
        self._bound: list[list[int]] = [[] for _ in range(SLOTS)]
        self._turns = 0
        self._turn(longest)

    def __call__(self, batch: RaggedBatch) -> torch.Tensor:
        """Extend the caches of the batch by its tokens. Returns float32 log-probabilities [kept, V] where it
        asks for them."""
        sequences = [*zip(batch.parts, batch.attentions, strict=True)]
        fresh = {
            index for index, (part, _) in enumerate(sequences) if part.branches and not part.cache.tokens
        }
        begun = [_begun(one[0]) if index in fresh else one for index, one in enumerate(sequences)]
        rows = self._passes(begun)
        if not fresh:
            return rows
        own = list(torch.split(rows, [part.kept for part, _ in begun]))
        late = [_branches(batch.parts[index]) for index in sorted(fresh)]
        left = torch.split(self._passes(late), [part.kept for part, _ in late])
        for index, more in zip(sorted(fresh), left, strict=True):
            own[index] = torch.cat([own[index], more])
        return torch.cat(own)

    def _passes(self, sequences: Sequence[tuple[Part, Attention]]) -> torch.Tensor:
        """The rows of all sequences, in as few passes as they fit into."""
        groups = [sequences[start : start + SLOTS] for start in range(0, len(sequences), SLOTS)]
        rows = [self._pass(group) for group in groups]
        return rows[0] if len(rows) == 1 else torch.cat([torch.empty(0, self._notes.vocabulary), *rows])

    def _pass(self, sequences: Sequence[tuple[Part, Attention]]) -> torch.Tensor:
        binding, unused = self._binding, SLOTS - len(sequences)
        used, self._used = self._used, SLOTS  # all of them, should this fail halfway
        self._turn(max(attention.slots for _, attention in sequences) + 1)
        for slot, (part, attention) in enumerate(sequences):
            self._bind(slot, part.cache, attention.slots + 1)
            self._attend(slot, attention, list(chain.from_iterable(part.runs())))
        for slot in range(len(sequences), max(used, len(sequences))):
            self._bind(slot, self._unused, 2)
            self._attend(slot, UNUSED, [0])
        self._used = len(sequences)
        ids = [part.tokens for part, _ in sequences]
        ends = accumulate(map(len, ids))
        rows = [range(end - len(tokens), end) for tokens, end in zip(ids, ends, strict=True)]
        kept = [
            row for (part, _), own in zip(sequences, rows, strict=True) for row in own[len(own) - part.kept :]
        ]
        attending = [*map(_in_company, rows), *[[0, 0]] * unused]
        starts = accumulate(map(len, attending), initial=0)
        attended = [range(start, start + len(own)) for own, start in zip(rows, starts, strict=False)]
        for name, numbers in (
            ("attending", chain.from_iterable(attending)),
            ("lengths", map(len, attending)),
            ("attended", chain.from_iterable(attended)),
            ("kept", kept),
        ):
            binding.bind_cpu_input(name, np.array([*numbers], np.int64))
        binding.bind_cpu_input("x", self._embedding([*chain.from_iterable(ids)]))
        logprobs = torch.empty(max(len(kept), 1), self._notes.vocabulary)  # no rows would have no address
        self._point(binding.bind_output, "logprobs", logprobs, len(kept))
        self._session.run_with_iobinding(binding)
        return logprobs[: len(kept)]

    def _turn(self, slots: int) -> None:
        """Bind the rotary waves of so many positions, at least: a wave is wanted for each slot, and branches
        have slots of their own."""
        if slots <= self._turns:
            return
        self._turns = slots
        for kind, frequencies in self._notes.frequencies.items():
            rotary = Rotary(torch.tensor(frequencies), self._notes.scaling[kind])
            for name, wave in zip(("cos", "sin"), rotary.waves(torch.arange(slots)), strict=True):
                self._binding.bind_cpu_input(f"{name}_{kind}", wave.numpy())

    def _attend(self, slot: int, attention: Attention, positions: Sequence[int]) -> None:
        """Bind where a sequence's new tokens are, and which slots of its cache they see."""
        binding, attending = self._binding, _in_company(positions)
        more = len(attending) - len(positions)
        slots = attention.slots + more
        binding.bind_cpu_input(f"last_{slot}", np.array([slots - 1], np.int32))
        binding.bind_cpu_input(f"slots_{slot}", np.array(slots, np.int32))
        binding.bind_cpu_input(f"positions_{slot}", np.array([attending], np.int64))
        for kind, window in self._notes.windows.items():
            mask = attention.mask(torch.float32, window=window)
            if more:
                mask = F.pad(torch.cat([mask, mask[-1:]]), (0, 1), value=-torch.inf)
            binding.bind_cpu_input(f"mask_{kind}_{slot}", mask[None, None].numpy())

    def _bind(self, slot: int, cache: KVCache, positions: int) -> None:
        """Bind the buffers of a slot's cache, unless they are the ones that it had in the last pass."""
        notes = self._notes
        buffers = cache.reserve(positions, len(notes.kinds), notes.groups, notes.size)
        addresses = [buffer.data_ptr() for buffer in buffers] + [buffers[0].shape[2]]
        if addresses == self._bound[slot]:
            return
        for layer, buffer in enumerate(buffers):
            for part, half in zip(("keys", "values"), buffer.chunk(2), strict=True):
                name = f"{part}_{layer}_{slot}"
                self._point(self._binding.bind_input, name, half)
                self._point(self._binding.bind_output, f"written_{name}", half)
        self._bound[slot] = addresses

    def _point(
        self, bind: Callable[..., None], name: str, tensor: torch.Tensor, rows: int | None = None
    ) -> None:
        """Bind a tensor, or its first rows, by its address: the binding outlives it, and must not keep it in
        memory."""
        shape = [len(tensor) if rows is None else rows, *tensor.shape[1:]]
        bind(name, "cpu", 0, np.float32, shape, tensor.data_ptr())


def _in_company(rows: Sequence[int]) -> Sequence[int]:
    """The rows, and the last of them twice where it might be alone. ONNX Runtime attends block by block, and
    for a block of one row by other code, which rounds otherwise: probabilities would depend on how many
    tokens of a sequence happened to share a pass. What the row that is added leaves in the cache is hidden,
    and written over by the next pass."""
    return rows if 1 < len(rows) < SMALLEST_BLOCK else [*rows, *rows[-1:]]


def _begun(part: Part) -> tuple[Part, Attention]:
    """A sequence without its branches. ONNX Runtime numbers the rows of a first pass by itself, so branches,
    which are at other positions, come in a second one."""
    alone = Part(part.cache, part.ids, part.keep)
    return alone, Attention(0, alone.runs(), torch.device("cpu"))


def _branches(part: Part) -> tuple[Part, Attention]:
    """The branches of a sequence whose other tokens a pass has just written."""
    alone = Part(part.cache, (), 0, part.branches)
    return alone, Attention(len(part.ids), alone.runs()[1:], torch.device("cpu"))
