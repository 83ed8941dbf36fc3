"""Fuzzes every reader of users' files and bodies: python -m tests.fuzz.run [INPUTS [SEED [READER ...]]].

By default 20,000 inputs each, in an hour or so. A reader fails with the first input that raises any error but
the named one, or that takes more than a second of the processor for 100 KB.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.inputs import MOST, inputs, repeated
from fuzz.readers import READERS, run

SIZES = (MOST, 1_000_000)


def main(arguments: list[str]) -> int:
    count, seed = (int(one) for one in [*arguments[:2], *["20000", "1"][len(arguments[:2]) :]])
    failed = False
    for name in arguments[2:] or READERS:
        failed |= not _fuzz(name, count, seed)
    return int(failed)


def _fuzz(name: str, count: int, seed: int) -> bool:
    reader = READERS[name]
    given = [
        *inputs(reader.kind, count, seed),
        *(one for size in SIZES for one in repeated(reader.kind, size)),
    ]
    taken, worst, began = 0, 0.0, time.monotonic()
    for data in given:
        started = time.process_time()
        try:
            taken += run(reader, data)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:300]} for {len(data)} bytes {data[:300]!r}")
            return False
        seconds = (time.process_time() - started) / max(len(data) / MOST, 1)
        worst = max(worst, seconds)
        if seconds > 1:
            print(f"{name}: {seconds:.1f} s for 100 KB of {len(data)} bytes {data[:300]!r}")
            return False
    duration = time.monotonic() - began
    print(
        f"{name}: {len(given):,} inputs, {taken:,} of them taken, the slowest {worst:.2f} s for 100 KB, "
        f"{duration:.0f} s in all",
        flush=True,
    )
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
