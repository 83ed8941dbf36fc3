"""Where LM Studio, Ollama, llama.cpp and the Hugging Face hub keep GGUF files, and their names here."""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.errors import WeightsError

# Folders within folders, and files and folders in all, after which a place is left as it is.
DEEPEST, MOST = 6, 20_000
LARGEST_MANIFEST = 1 << 20
WEIGHTS, ADAPTER = "application/vnd.ollama.image.model", "application/vnd.ollama.image.adapter"
# Both of Ollama's registries, whose names it leaves out, as it does the namespace of its own models.
REGISTRIES, OWN = ("registry.ollama.ai", "ollama.com"), "library"
INCOMPLETE, LONGEST_COMMIT = "its download is not complete", 128
MANIFESTS = ("manifests", "manifest-v2")
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_SNAPSHOT = re.compile(
    r"models--(?P<org>[\w.-]+?)--(?P<repo>[\w.-]+)/snapshots/(?P<commit>[^/]+)/(?P<file>.+)"
)


@dataclass(frozen=True)
class Located:
    """A file and the name by which COSTEER_LOCAL_MODEL takes it; `wrong` says why it cannot be one, else
    empty."""

    name: str
    path: Path
    wrong: str = ""


@dataclass(frozen=True)
class Place:
    """One program's folders. A name begins with its `prefix` and a colon."""

    prefix: str
    label: str
    folders: Callable[[], list[Path]]
    files: Callable[[Path], Iterable[Located]]

    def located(self) -> list[Located]:
        """Its files by name; of two with one name the first that can be one. Reads no GGUF file."""
        found: dict[str, Located] = {}
        for folder in self.folders():
            with suppress(OSError):
                for one in self.files(folder):
                    if one.name not in found or (found[one.name].wrong and not one.wrong):
                        found[one.name] = one
        return [found[name] for name in sorted(found)]


def named_file(name: str) -> Path | None:
    """The file of a name like "ollama:qwen2.5:0.5b"; None for a name of another form. Raises WeightsError
    where that program has no such file."""
    prefix, colon, _ = name.partition(":")
    place = next((one for one in PLACES if colon and one.prefix == prefix), None)
    if place is None:
        return None
    located = {one.name: one for one in place.located()}
    if place.prefix == "ollama":
        name = _short(name)
    found = located.get(name) or located.get(f"{name}:latest") or located.get(f"{name}.gguf")
    if found is None:
        raise WeightsError(f"{place.label} has no model {name!r} on this machine.{suggestion(name, located)}")
    if found.wrong:
        raise WeightsError(f"{name}: {found.wrong}.")
    return found.path


def suggestion(name: str, names: Iterable[str]) -> str:
    """Where to look, and which name is close."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.7)
    return f" Did you mean {close[0]}?" if close else " `costeer models found` lists what there is."


def files_below(folder: Path) -> Iterator[Path]:
    """GGUF files of a folder and those below it, through links too, each folder once."""
    waiting, left = [(folder, 0)], MOST
    seen: set[str] = set()
    while waiting:
        one, depth = waiting.pop()
        with suppress(OSError):
            real = os.path.realpath(one)  # Path.resolve raises RuntimeError for links in a circle
            if real in seen:
                continue
            seen.add(real)
            for entry in sorted(os.scandir(one), key=lambda entry: entry.name):
                left -= 1
                if left < 0:
                    return
                with suppress(OSError):
                    if entry.is_dir():
                        if depth < DEEPEST:
                            waiting.append((Path(entry.path), depth + 1))
                    elif entry.name.lower().endswith(".gguf"):
                        yield Path(entry.path)


def placed(name: str, path: Path, gone: str = "what it links to is gone, or may not be read") -> Located:
    """The file at `path`, which is none where nothing, or something else, lies there."""
    kind = _kind(path)
    if kind is None:
        return Located(name, path, gone)
    return Located(name, path, "" if kind == stat.S_IFREG else "it is no file, but a pipe or a device")


def _kind(path: Path) -> int | None:
    """What lies at the end of the path, as stat says it; None for nothing that can be seen. Path.is_file
    raises where a folder on the way may not be entered."""
    with suppress(OSError, ValueError):
        return stat.S_IFMT(path.stat().st_mode)
    return None


def _plain(prefix: str) -> Callable[[Path], Iterator[Located]]:
    """Files that are named by their paths below the folder."""

    def files(folder: Path) -> Iterator[Located]:
        for path in files_below(folder):
            yield placed(f"{prefix}:{path.relative_to(folder).as_posix()}", path)

    return files


def _of_hub(folder: Path) -> Iterator[Located]:
    """Files in the hub's own cache, named by repository; in a snapshot, a file is a link to a blob."""
    found = []
    for path in files_below(folder):
        if match := _SNAPSHOT.fullmatch(path.relative_to(folder).as_posix()):
            name = f"hub:{match['org']}/{match['repo']}/{match['file']}"
            main = folder / f"models--{match['org']}--{match['repo']}" / "refs" / "main"
            found.append((_content(main) != match["commit"], placed(name, path, INCOMPLETE)))
    # Of several commits the one that is the newest of its branch.
    yield from (one for _, one in sorted(found, key=lambda one: one[0]))


def _content(ref: Path) -> str:
    """The commit that a branch is at; empty where that is not known."""
    with suppress(OSError, ValueError):
        if _kind(ref) == stat.S_IFREG:
            with ref.open(encoding="utf-8") as file:
                return file.read(LONGEST_COMMIT).strip()
    return ""


def _of_ollama(folder: Path) -> Iterator[Located]:
    """Models that Ollama has pulled: a manifest names the blob of the weights."""
    for kind in MANIFESTS:
        root = folder / kind
        for manifest in sorted(root.glob("*/*/*/*")):
            host, namespace, model, tag = manifest.relative_to(root).parts
            if tag.startswith(".") or _kind(manifest) != stat.S_IFREG:
                continue
            with suppress(OSError, ValueError, RecursionError):
                if manifest.stat().st_size > LARGEST_MANIFEST:
                    continue
                name = _short("/".join([host, namespace, model])).removeprefix("ollama:")
                one = _blob(f"ollama:{name}:{tag}", folder, json.loads(manifest.read_bytes()))
                if one is not None:
                    yield one


def _short(name: str) -> str:
    """The name as Ollama lists it: without its own registry, and then without its own namespace."""
    parts = name.removeprefix("ollama:").split("/")
    if len(parts) == 3 and parts[0] in REGISTRIES:
        del parts[0]
    if len(parts) == 2 and parts[0] == OWN:
        del parts[0]
    return "ollama:" + "/".join(parts)


def _blob(name: str, folder: Path, manifest: object) -> Located | None:
    """The weights of a manifest; None for a model that runs elsewhere, or has none in GGUF."""
    layers = manifest.get("layers") if isinstance(manifest, dict) else None
    layers = [one for one in layers if isinstance(one, dict)] if isinstance(layers, list) else []
    weights = [one for one in layers if one.get("mediaType") == WEIGHTS]
    if not weights:
        return None
    digest = _DIGEST.fullmatch(str(weights[0].get("digest")))
    if digest is None:
        return Located(name, folder, "its manifest names no file. Pull it again with Ollama")
    path = folder / "blobs" / f"sha256-{digest[1]}"
    if any(one.get("mediaType") == ADAPTER for one in layers):
        return Located(name, path, "Ollama adds an adapter to its weights, which is not read here")
    if len(weights) > 1:
        return Located(name, path, "Ollama keeps it in several files, which are not joined here")
    return placed(name, path, "its file is gone, or may not be read. Pull it again with Ollama")


def _lmstudio_folders() -> list[Path]:
    home = Path.home()
    homes = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    with suppress(OSError, ValueError):
        pointed = (home / ".lmstudio-home-pointer").read_text(encoding="utf-8").strip()
        if "\0" not in pointed and Path(pointed).is_absolute():
            homes.insert(0, Path(pointed))
    return [one / "models" for one in homes]


def _ollama_folders() -> list[Path]:
    own = [Path.home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]
    return [*_named("OLLAMA_MODELS"), *own]


def _llamacpp_folders() -> list[Path]:
    below = Path("Library", "Caches") if sys.platform == "darwin" else Path(".cache")
    root = next(iter(_named("XDG_CACHE_HOME")), Path.home() / below)
    return _named("LLAMA_CACHE") or [root / "llama.cpp"]


def _hub_folders() -> list[Path]:
    if named := _named("HF_HUB_CACHE") or _named("HUGGINGFACE_HUB_CACHE"):
        return named
    root = next(iter(_named("XDG_CACHE_HOME")), Path.home() / ".cache")
    return [next(iter(_named("HF_HOME")), root / "huggingface") / "hub"]


def _named(variable: str) -> list[Path]:
    """The folder that another program's own variable names, if it is set."""
    value = os.environ.get(variable, "").strip()
    with suppress(RuntimeError):  # ~name of an unknown user
        return [Path(value).expanduser()] if value else []
    return []


PLACES = (
    Place("lmstudio", "LM Studio", _lmstudio_folders, _plain("lmstudio")),
    Place("ollama", "Ollama", _ollama_folders, _of_ollama),
    Place("llama.cpp", "llama.cpp", _llamacpp_folders, _plain("llama.cpp")),
    Place("hub", "The cache of the Hugging Face hub", _hub_folders, _of_hub),
)
