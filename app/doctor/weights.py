"""Checks of the weights of the models in this process, and of the disk space for pending downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from app.doctor.check import Check, Verdict, failed, ok, warning
from app.errors import WeightsError
from app.local.weights import Presence, disk, is_file, presence
from app.threads import in_thread

Look = Callable[[str], Presence]
MB = 1e6
# Bytes that a database with history, and its backup before a migration, may need.
LITTLE = 200 * MB


def checks(
    names: Mapping[str, str],
    *,
    cache_dir: Path,
    weights_dir: Path | None,
    data_dir: Path,
    loaded: bool = False,
) -> list[Check]:
    """`names` maps the name of each check to its model in the settings. `loaded`: the server that asks has
    loaded these models, so that no file is read through as before a start, and no room is needed for any."""
    look = partial(presence, cache_dir=cache_dir, weights_dir=weights_dir)
    verdict = _loaded if loaded else _weights
    models = () if loaded else dict.fromkeys(names.values())
    # The user's GGUF files are identified by SHA-256, for which the whole file is read.
    seconds = 30 if loaded else 120
    return [
        *(
            Check(name, partial(in_thread, partial(verdict, look, model)), seconds=seconds)
            for name, model in names.items()
        ),
        Check("disk", lambda: in_thread(lambda: _disk(look, models, cache_dir, data_dir)), seconds=seconds),
    ]


def _loaded(look: Look, model: str) -> Verdict:
    return ok(f"{model}: loaded when this server started") if is_file(model) else _weights(look, model)


def _weights(look: Look, model: str) -> Verdict:
    found = look(model)
    if found.folder is not None:
        return ok(f"{model}: {disk.size_of(found.folder) / MB:,.0f} MB in {found.folder}")
    size = "what it takes" if found.download is None else f"{found.download / MB:,.0f} MB"
    fetched = f"fetches {size} from {found.source}" if found.download != 0 else f"takes {found.source}"
    return warning(
        f"{model} is not here, or not whole; the next start {fetched}.", f"costeer models pull {model}"
    )


def _disk(look: Look, models: Iterable[str], cache_dir: Path, data_dir: Path) -> Verdict:
    needed = 0
    for model in models:
        with suppress(WeightsError):  # reported by the check of the weights
            needed += look(model).space
    free = disk.free(cache_dir)
    room = f"{free / MB:,.0f} MB are free for {cache_dir}"
    if free < needed:
        return failed(
            f"{room}, and {needed / MB:,.0f} MB are needed.",
            "Make room, or set COSTEER_CACHE_DIR to a folder on another disk.",
        )
    left = disk.free(data_dir)
    if left < LITTLE:
        return warning(
            f"Only {left / MB:,.0f} MB are free for {data_dir}.",
            "Make room, or set COSTEER_DATA_DIR to a folder on another disk.",
        )
    return ok(
        f"{room}{f', {needed / MB:,.0f} MB are needed' if needed else ''}; {left / MB:,.0f} for {data_dir}"
    )
