"""Imports between rooms and modules, read from their source: what each may have, and what none may."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "app").rglob("*.py"))
}
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SQL = {"sqlmodel", "sqlalchemy", "sqlite3", "alembic"}
WEB = {"fastapi", "starlette", "uvicorn", "sse_starlette"}
HTTP = {"httpx", "requests", "urllib3", "aiohttp", "http"}
TENSORS = {"torch", "transformers"}


def between(marker: str) -> list[str]:
    """The lines of docs/architecture.md between a marker and its end."""
    found = re.search(rf"<!-- {marker} -->\n(.*?)<!-- /{marker} -->", MAP, re.DOTALL)
    assert found is not None, f"docs/architecture.md has no {marker}"
    return found[1].splitlines()


# Each imports from those below it only.
LAYERS = [line.split() for line in between("layers") if line.strip()]
DEPTH = {room: depth for depth, rooms in enumerate(LAYERS) for room in rooms}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Every name that the module imports, wherever in it: `from a.b import c` gives a, a.b and a.b.c."""
    names = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(name.split(".")[:size]) for name in names for size in range(1, name.count(".") + 2)}


@cache
def arrows(module: str) -> frozenset[str]:
    """The modules of the product that this one imports; not the packages that it lies in.

    An import loads the packages on its way too, so their own imports count.
    """
    found = {name for name in imports(module) & MODULES.keys() if not module.startswith(f"{name}.")}
    return frozenset(found - {module})


@cache
def reached(module: str) -> frozenset[str]:
    """The module, the modules of the product that it imports, those that they import, and so on."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += arrows(name)
    return frozenset(found)


def room(module: str) -> str | None:
    """The package or file right in app/ that the module is in; None for app itself."""
    return module.split(".")[1] if "." in module else None


def inside(*rooms: str) -> list[str]:
    """The modules of some rooms, which may be named with a dot: `local.engine`."""
    return [m for m in MODULES if any(m == f"app.{r}" or m.startswith(f"app.{r}.") for r in rooms)]


def foreign(module: str) -> set[str]:
    """What the module, and whatever it reaches, imports of the web, HTTP, SQL or tensors."""
    return {name for one in reached(module) for name in imports(one)} & (WEB | HTTP | SQL | TENSORS)


@pytest.mark.parametrize("module", MODULES)
def test_each_room_imports_from_the_layers_below_it_only(module: str) -> None:
    own = room(module)
    for other in arrows(module):
        if own is not None and room(other) not in {own, None}:
            assert DEPTH[own] < DEPTH[str(room(other))], f"{module} imports {other}"


def test_the_map_has_every_room_and_no_other() -> None:
    rooms = {name for name in map(room, MODULES) if name is not None}
    assert DEPTH.keys() == rooms
    listed = [match[1] for line in between("rooms") if (match := re.match(r"\| `(\w+)(?:\.py)?` \|", line))]
    assert sorted(listed) == sorted(rooms)


def test_nothing_imports_its_importer() -> None:
    for name in MODULES:
        for other in arrows(name):
            assert name not in reached(other), f"{name} and {other} import each other"


@pytest.mark.parametrize(
    "module",
    [
        *inside(
            "disclosure",
            "steering",
            "proposals",
            "prompts.message",
            "prompts.private",
            "prompts.context",
            "profiles.profile",
        ),
        *inside("errors", "local.interface", "local.engine.pass_cost", "decoding.stop_strings"),
    ],
)
def test_the_pure_core_reaches_no_web_no_database_and_no_models(module: str) -> None:
    assert foreign(module) == set()


def test_the_loop_reaches_neither_http_nor_sql_nor_tensors() -> None:
    assert foreign("app.decoding.speculative") == set()
    assert not reached("app.decoding.speculative") & set(inside("profiles.store", "prompts.retrieval"))


@pytest.mark.parametrize("module", inside("remote"))
def test_the_remote_s_side_cannot_reach_a_profile(module: str) -> None:
    """Nor any type that private text travels in: of the prompts it reaches the public message alone."""
    assert not reached(module) & set(inside("profiles", "api", "decoding", "assembly", "settings"))
    assert reached(module) & set(inside("prompts")) <= {"app.prompts", "app.prompts.message"}
    assert reached(module) & set(inside("local")) <= {"app.local", *inside("local.engine")}


def test_settings_are_read_where_parts_are_made_and_nowhere_else() -> None:
    readers = {room(name) for name in MODULES if "app.settings" in imports(name)}
    assert readers - {"settings"} == {"main", "assembly", "doctor", "cli"}


def test_the_environment_is_read_by_settings_alone() -> None:
    """But for pip's: it is run with the user's own environment, so that index and proxy are honoured; and for
    the variables with which other programs are told where to keep their models.

    (huggingface_hub, which the hub source asks for its token and endpoint, reads its own variables.)
    """
    readers = set()
    for name in MODULES:
        for node in ast.walk(tree(name)):
            attribute = node.attr if isinstance(node, ast.Attribute) else None
            imported = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            if attribute in {"environ", "getenv", "environb"} or imported & {"environ", "getenv"}:
                readers.add(name)
    assert readers - {"app.settings.settings", "app.settings.config_file"} == {
        "app.local.weights.wheels",
        "app.local.weights.files.places",
    }


def test_http_is_spoken_in_one_place_by_the_weights_and_by_the_chat_s_client() -> None:
    speakers = {name for name in MODULES if imports(name) & HTTP}
    clients = {f"app.cli.chat.{name}" for name in ("address", "client", "in_process")}
    servers = {"app.network.outgoing", "app.remote.simulated"}
    assert speakers - set(inside("local.weights")) == servers | clients


def test_the_web_framework_stays_at_the_border() -> None:
    border = {name for name in MODULES if imports(name) & WEB}
    assert {room(name) for name in border} <= {"api", "main", "network", "cli"}
    assert border & set(inside("cli")) <= {"app.cli.serving", "app.cli.chat.in_process"}


def test_sql_stays_in_the_store() -> None:
    assert {name for name in MODULES if imports(name) & SQL} <= set(inside("profiles.store"))


def test_forward_passes_stay_in_the_local_models() -> None:
    assert {room(name) for name in MODULES if "torch" in imports(name)} <= {
        "local",
        "remote",
        "doctor",
        "cli",
        "evaluation",
    }
    assert {name for name in inside("remote") if "torch" in imports(name)} <= {"app.remote.embedded"}


def test_routes_know_no_models_and_no_remote() -> None:
    for name in inside("api"):
        assert not imports(name) & (HTTP | SQL | TENSORS), name
        assert arrows(name) & set(inside("remote")) <= {
            "app.remote",
            "app.remote.interface",
            "app.remote.sent",  # what was sent, which asks for nothing
        }, name
        assert arrows(name) & set(inside("local")) == set(), name


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_name_and_says_what_it_is(module: str) -> None:
    assert {"utils", "util", "helpers", "helper", "common", "core", "misc"}.isdisjoint(module.split("."))
    source = MODULES[module].read_text(encoding="utf-8")
    if source.strip():
        sentence = (ast.get_docstring(tree(module)) or "").split("\n\n")[0]
        assert sentence.endswith("."), module


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for statement in body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield ast.unparse(target), statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield ast.unparse(statement.target), statement.value


@pytest.mark.parametrize("module", MODULES)
def test_no_module_keeps_state(module: str) -> None:
    """A container at module level is a constant, in capitals, and nothing in its module changes it."""
    body = tree(module)
    changing = {"append", "add", "update", "pop", "clear", "extend", "insert", "remove", "setdefault"}
    for name, value in _assigned(body.body):
        made_by = value.func if isinstance(value, ast.Call) else None
        container = isinstance(
            value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
        )
        container |= isinstance(made_by, ast.Name) and made_by.id in {"list", "dict", "set", "deque"}
        if not container or name == "__all__":
            continue
        assert name.isupper(), f"{module}.{name} can be changed"
        for node in ast.walk(body):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == name:
                assert node.attr not in changing, f"{module} changes {name}"
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == name:
                assert isinstance(node.ctx, ast.Load), f"{module} changes {name}"
    assert not any(isinstance(node, ast.Global) for node in ast.walk(body)), module


def test_the_files_that_the_map_names_are_there() -> None:
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", MAP))
    assert named
    assert [name for name in named if not ((ROOT / "app" / name).exists() or (ROOT / name).exists())] == []


def test_private_text_reaches_the_two_local_models_and_no_remote() -> None:
    """Whatever takes a prompt with private text is the small model's; the remote's side cannot make the
    server that reads it, nor be made by it."""
    trusted, remote = set(inside("local.trusted")), set(inside("remote"))
    assert not any(reached(name) & trusted for name in remote)
    assert not any(reached(name) & remote for name in trusted)
    makers = {name for name in MODULES if "app.local.trusted.server" in arrows(name)}
    assert {room(name) for name in makers} <= {"local", "assembly", "doctor"}
