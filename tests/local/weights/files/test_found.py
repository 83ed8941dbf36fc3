"""Files where LM Studio, Ollama, llama.cpp and the hub keep them: found, named, judged, and converted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.running import done, run
from gguf import GGUFWriter

from app.errors import WeightsError
from app.local import weights
from app.local.weights.files import found as module
from app.local.weights.files.found import closed, found, names
from app.local.weights.files.places import ADAPTER, WEIGHTS, named_file
from local.weights.gguf_files import write_model

Layout = Callable[[Path], str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "parrot.gguf"
    write_model(path)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("COSTEER_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("OLLAMA_MODELS", "LLAMA_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    return folder


def put(model: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(model, target)
    return target


def pulled(model: Path | bytes, root: Path, name: str, *more: str, kind: str = WEIGHTS) -> Path:
    """What `ollama pull` leaves: a manifest and a blob. Returns the blob."""
    data = model.read_bytes() if isinstance(model, Path) else model
    digest = hashlib.sha256(data).hexdigest()
    blob = root / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    layers = [{"mediaType": one, "digest": f"sha256:{digest}", "size": len(data)} for one in (kind, *more)]
    manifest = root / "manifests" / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "config": {}, "layers": layers}))
    return blob


def in_lm_studio(model: Path) -> str:
    put(model, Path.home() / ".lmstudio/models/lm-org/Parrot-GGUF/Parrot-F32.gguf")
    return "lmstudio:lm-org/Parrot-GGUF/Parrot-F32.gguf"


def in_ollama(model: Path) -> str:
    pulled(model, Path.home() / ".ollama/models", "registry.ollama.ai/library/parrot/0.1b")
    return "ollama:parrot:0.1b"


def in_llamacpp(model: Path) -> str:
    put(model, Path.home() / ".cache/llama.cpp/org_Parrot-GGUF_Parrot-F32.gguf")
    return "llama.cpp:org_Parrot-GGUF_Parrot-F32.gguf"


def in_the_hubs_cache(model: Path) -> str:
    root = Path.home() / ".cache/huggingface/hub/models--org--Parrot-GGUF"
    put(model, root / "blobs/0123")
    (root / "snapshots/abc/q").mkdir(parents=True)
    (root / "snapshots/abc/q/p.gguf").symlink_to("../../../blobs/0123")
    return "hub:org/Parrot-GGUF/q/p.gguf"


@pytest.mark.parametrize("layout", [in_lm_studio, in_ollama, in_llamacpp, in_the_hubs_cache])
def test_a_file_is_found_by_name_in_each_layout(model: Path, layout: Layout) -> None:
    name = layout(model)
    (one,) = found()
    assert (one.name, one.obstacle, one.warning) == (name, "", "")
    assert (one.architecture, one.quantization, one.size) == ("llama", "F32", model.stat().st_size)
    assert one.parameters == pytest.approx(921_600, rel=0.1)
    path = named_file(name)
    assert path is not None
    assert path.read_bytes() == model.read_bytes()
    assert names() == [name]


def test_each_layout_is_converted_once_and_its_file_left_as_it_is(model: Path, tmp_path: Path) -> None:
    """One file in three places is one model."""
    name = in_ollama(model)
    seen = {one: one.stat().st_mtime_ns for one in Path.home().rglob("*") if one.is_file()}
    result = run("models", "pull", name)
    # Not by the SHA-256 that Ollama calls its file by.
    assert [f"{verb} {name} (" in result.stderr for verb in ("Checking", "Converting")] == [True, True]
    assert "sha256-" not in result.stderr
    first = result.stdout.strip()
    assert first.startswith("ollama:parrot:0.1b: ")
    folder = Path(first.removeprefix("ollama:parrot:0.1b: "))
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [2, 0]
    for layout in (in_lm_studio, in_llamacpp):
        assert weights.resolve(layout(model), cache_dir=tmp_path / "cache") == str(folder)
        assert weights.presence(layout(model), cache_dir=tmp_path / "cache").folder == folder
    assert {one: one.stat().st_mtime_ns for one in seen} == seen


def test_a_tag_that_ollama_updates_is_another_model(tmp_path: Path) -> None:
    root, name = Path.home() / ".ollama/models", "registry.ollama.ai/library/parrot/latest"
    pulled(b"one", root, name)
    first = named_file("ollama:parrot")
    pulled(b"another", root, name)
    second = named_file("ollama:parrot:latest")
    assert first is not None
    assert second is not None
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"another")


def test_names_leave_out_what_ollama_leaves_out() -> None:
    root = Path.home() / ".ollama/models"
    for name in ("registry.ollama.ai/me/mine/1b", "hf.co/org/repo/Q4_K_M", "ollama.com/library/a/latest"):
        pulled(b"x", root, name)
    assert names() == ["ollama:a:latest", "ollama:hf.co/org/repo:Q4_K_M", "ollama:me/mine:1b"]


def test_folders_that_the_other_programs_are_told_of(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "o"))
    pulled(model, tmp_path / "o", "registry.ollama.ai/library/far/1b")
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "l"))
    put(model, tmp_path / "l/deep/er/a.gguf").write_bytes(b"GGUF")
    (Path.home() / ".lmstudio-home-pointer").write_text(f"{tmp_path / 's'}\n")
    put(model, tmp_path / "s/models/a/b/c.gguf").write_bytes(b"GGUF")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "h"))
    put(model, tmp_path / "h/hub/models--a--b/snapshots/1/c.gguf").write_bytes(b"GGUF")
    assert names() == ["lmstudio:a/b/c.gguf", "ollama:far:1b", "llama.cpp:deep/er/a.gguf", "hub:a/b/c.gguf"]


def field(name: str, value: Any) -> Callable[[GGUFWriter], None]:
    def change(writer: GGUFWriter) -> None:
        (writer.add_uint32 if isinstance(value, int) else writer.add_string)(name, value)

    return change


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"change": field("split.count", 3)}, "one of 3 parts"),
        ({"change": field("general.type", "adapter")}, "adapter"),
        ({"change": field("general.type", "mmproj")}, "projector"),
        ({"change": field("llama.pooling_type", 3)}, "embeddings"),
        ({"architecture": "clip"}, "projector"),
        ({"architecture": "nomic-bert"}, "embeddings"),
        ({"architecture": "eagle3"}, "drafts"),
        ({"architecture": "rwkv7"}, "'rwkv7' cannot be read"),
        ({"architecture": "t5"}, "does not write on"),
        ({"architecture": "gpt-oss"}, "cannot be computed here"),
        ({"template": None}, "no chat template"),
    ],
)
def test_what_cannot_be_taken_says_why(tmp_path: Path, how: dict[str, Any], why: str) -> None:
    (tmp_path / "weights").mkdir()
    write_model(tmp_path / "weights/a.gguf", **how)
    (one,) = found(tmp_path / "weights")
    assert why in one.obstacle
    with pytest.raises(WeightsError, match="cannot be taken"):
        weights.resolve(str(one.path), cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("models/*"))


def test_a_large_model_is_listed_with_a_warning_and_not_converted(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(model, tmp_path / "weights/a.gguf")
    monkeypatch.setattr(module, "_machine_memory", lambda: 400_000_000)
    monkeypatch.setattr("app.local.weights.cache.machine_memory", lambda: 400_000_000)
    (one,) = found(tmp_path / "weights")
    assert (one.obstacle, "memory" in one.warning) == ("", True)
    with pytest.raises(WeightsError, match="Choose a smaller model"):
        weights.resolve(str(one.path), cache_dir=tmp_path / "cache")


def test_what_is_broken_is_listed_and_stops_nothing(model: Path) -> None:
    root = Path.home() / ".ollama/models"
    pulled(model, root, "registry.ollama.ai/library/fine/1b")
    gone = pulled(b"gone", root, "registry.ollama.ai/library/gone/1b")
    gone.unlink()
    pulled(b"tuned", root, "registry.ollama.ai/library/tuned/1b", ADAPTER)
    pulled(b"parts", root, "registry.ollama.ai/library/parts/1b", WEIGHTS)
    pulled(b"cloud", root, "registry.ollama.ai/library/cloud/1b", kind="application/vnd.ollama.image.license")
    odd = {"a": "no JSON", "b": "[1]", "c": '{"layers": {"a": 1}}', "d": '{"layers": [7]}'}
    for name, content in odd.items():
        (root / f"manifests/registry.ollama.ai/library/{name}").mkdir()
        (root / f"manifests/registry.ollama.ai/library/{name}/1b").write_text(content)
    bad = root / "manifests/registry.ollama.ai/library/bad/1b"
    bad.parent.mkdir()
    bad.write_text(json.dumps({"layers": [{"mediaType": WEIGHTS, "digest": "sha256:../../../etc/passwd"}]}))
    folder = Path.home() / ".cache/llama.cpp"
    folder.mkdir(parents=True)
    (folder / "dangling.gguf").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder)
    (folder / "self.gguf").symlink_to(folder / "self.gguf")
    (folder / "empty.gguf").touch()
    seen = {one.name: one.obstacle for one in found()}
    assert seen.pop("ollama:fine:1b") == ""
    for name, why in {
        "ollama:gone:1b": "gone",
        "ollama:tuned:1b": "adapter",
        "ollama:parts:1b": "several files",
        "ollama:bad:1b": "names no file",
        "llama.cpp:dangling.gguf": "gone",
        "llama.cpp:empty.gguf": "ends within its header",
    }.items():
        assert why in seen.pop(name), name
    assert seen == {}
    with pytest.raises(WeightsError, match="gone"):
        named_file("ollama:gone:1b")


def test_what_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    """A reader of a pipe waits until somebody writes to it."""
    folder, own = Path.home() / ".cache/llama.cpp", tmp_path / "weights"
    manifests = Path.home() / ".ollama/models/manifests/registry.ollama.ai/library/a"
    for one in (folder, own, manifests):
        one.mkdir(parents=True)
        os.mkfifo(one / "a.gguf")
    (own / "self.gguf").symlink_to(own / "self.gguf")
    assert {one.path: "pipe" in one.obstacle for one in found(own)} == {
        folder / "a.gguf": True,
        own / "a.gguf": True,
    }


def test_folders_that_are_none_hold_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    monkeypatch.setenv("LLAMA_CACHE", str(loop))
    (Path.home() / ".lmstudio-home-pointer").write_text("/a\0b")
    manifest = Path.home() / ".ollama/models/manifests/registry.ollama.ai/library/a/1b"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("[" * 100_000)
    assert (found(loop), names(), closed()) == ([], [], [])


def test_a_file_behind_a_closed_folder_hides_no_other(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path.home() / ".cache/llama.cpp"
    in_llamacpp(model)
    (folder / "closed").mkdir()
    (folder / "a.gguf").symlink_to(folder / "closed/a.gguf")
    gone = pulled(b"x", Path.home() / ".ollama/models", "registry.ollama.ai/library/shut/1b")
    stat = os.stat

    def refused(path: Any, *args: Any, **kwargs: Any) -> Any:
        if str(path) in {str(folder / "a.gguf"), str(gone)}:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refused)
    seen = {one.name: one.obstacle for one in found()}
    assert seen.pop("llama.cpp:org_Parrot-GGUF_Parrot-F32.gguf") == ""
    assert set(seen) == {"llama.cpp:a.gguf", "ollama:shut:1b"}
    assert all("may not be read" in why for why in seen.values())


def test_of_a_repository_in_several_commits_its_branch_s_is_taken(tmp_path: Path) -> None:
    root = Path.home() / ".cache/huggingface/hub/models--org--a"
    for commit in ("aaa", "bbb", "ccc"):
        (root / "snapshots" / commit).mkdir(parents=True)
        (root / "snapshots" / commit / "m.gguf").write_text(commit)
    (root / "refs").mkdir()
    for commit in ("ccc", "aaa", "bbb"):
        (root / "refs/main").write_text(commit)
        path = named_file("hub:org/a/m.gguf")
        assert path is not None
        assert path.read_text() == commit
    (root / "snapshots/bbb/m.gguf").unlink()
    (root / "snapshots/bbb/m.gguf").symlink_to("gone")
    path = named_file("hub:org/a/m.gguf")
    assert path is not None
    assert path.read_text() in {"aaa", "ccc"}


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("parrot", "parrot:latest"),
        ("library/parrot", "parrot:latest"),
        ("registry.ollama.ai/library/parrot:latest", "parrot:latest"),
        ("registry.ollama.ai/me/mine:1b", "me/mine:1b"),
        ("localhost:5000/library/far", "localhost:5000/library/far:latest"),
        ("localhost:5000/library/far:latest", "localhost:5000/library/far:latest"),
        ("hf.co/org/repo:Q4_K_M", "hf.co/org/repo:Q4_K_M"),
    ],
)
def test_names_are_taken_as_ollama_takes_them(written: str, listed: str) -> None:
    root = Path.home() / ".ollama/models"
    for name in (
        "registry.ollama.ai/library/parrot/latest",
        "registry.ollama.ai/me/mine/1b",
        "localhost:5000/library/far/latest",
        "hf.co/org/repo/Q4_K_M",
    ):
        pulled(name.encode(), root, name)
    assert f"ollama:{listed}" in names()
    assert named_file(f"ollama:{written}") == named_file(f"ollama:{listed}")


def test_names_that_are_no_utf_8_and_control_a_terminal_are_listed_escaped(model: Path) -> None:
    folder = Path.home() / ".cache/llama.cpp"
    for name in (b"bad\xff.gguf", b"red\x1b[31m.gguf"):
        put(model, folder / os.fsdecode(name))
    listed = {one["name"] for one in json.loads(done("models", "found", "--json"))}
    assert listed == {"llama.cpp:bad\\udcff.gguf", "llama.cpp:red\x1b[31m.gguf"}
    assert "llama.cpp:red\\x1b[31m.gguf\tllama" in done("models", "found")


def test_a_folder_that_may_not_be_read_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_llamacpp(model)
    refused = Path.home() / ".cache/llama.cpp"
    scandir = os.scandir

    def without(folder: Path) -> Any:
        if folder == refused:
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", without)
    assert (found(), closed()) == ([], [refused])
    assert f"{refused} may not be read" in run("models", "found").stderr


def test_a_name_that_nobody_has_is_refused_with_a_guess(model: Path, tmp_path: Path) -> None:
    in_ollama(model)
    with pytest.raises(WeightsError, match=r"Did you mean ollama:parrot:0\.1b\?"):
        weights.resolve("ollama:parot:0.1b", cache_dir=tmp_path)
    with pytest.raises(WeightsError, match=r"Did you mean ollama:parrot:0\.1b\?"):
        weights.resolve("parrot:0.1b", cache_dir=tmp_path)
    with pytest.raises(WeightsError, match="models found"):
        weights.resolve("lmstudio:nothing/at/all", cache_dir=tmp_path)


def test_the_command_lists_them_for_people_and_for_programs(model: Path) -> None:
    name = in_lm_studio(model)
    assert f"{name}\tllama\t1 M\tF32\t4 MB\tyes" in done("models", "found").splitlines()
    (one,) = json.loads(done("models", "found", "--json"))
    assert one["name"] == name
    assert Path(one["path"]).is_file()


def test_hundreds_of_files_are_listed(tmp_path: Path) -> None:
    folder = Path.home() / ".lmstudio/models/a/b"
    folder.mkdir(parents=True)
    for number in range(300):
        (folder / f"{number}.gguf").write_bytes(b"GGUF")
    assert len(found()) == len(names()) == 300


def test_values_of_a_tensor_are_found_behind_the_header(tmp_path: Path) -> None:
    from app.local.weights.files.header import read_header

    write_model(tmp_path / "a.gguf", tensors={"rope_freqs.weight": np.arange(32, dtype=np.float32)})
    header = read_header(tmp_path / "a.gguf")
    assert header.values(tmp_path / "a.gguf", "rope_freqs.weight") == tuple(map(float, range(32)))
