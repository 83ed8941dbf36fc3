"""The arrows between modules, read from their source: what each may import, and what none may have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "app").rglob("*.py"))
}
SETTINGS_READERS = {
    "app.main",
    "app.cli.serving",
    *(f"app.cli.{name}" for name in ("environment", "bench", "doctor", "evaluate")),
}
SQL_MODULES = {
    f"app.store.{name}"
    for name in (
        "database",
        "engine",
        "inspection",
        "migration",
        "tables",
        "index",
        "profiles",
        "history",
        "keys",
    )
}
SQL = {"sqlmodel", "sqlalchemy", "sqlite3", "alembic"}
WEB = {"fastapi", "starlette", "uvicorn", "sse_starlette"}
HTTP = {"httpx", "requests", "urllib3", "aiohttp", "http"}
TENSORS = {"torch", "transformers"}
REMOTE_SIDE = {name for name in MODULES if name.startswith("app.remote")} | {
    "app.remote.embedded",
    "app.remote.interface",
}
PRIVATE_SIDE = {
    "app.profiles.profile",
    "app.profiles.profile_file",
    "app.profiles.store",
    "app.prompts.retrieval",
    "app.prompts.local",
    "app.local.model",
    "app.decoding.generator",
    "app.evaluation.speed",
    "app.cli.doctor",
    "app.api",
    "app.main",
}


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


def arrows(module: str) -> set[str]:
    """The modules of the product that this one imports; not the packages that it lies in."""
    return {name for name in imports(module) & MODULES.keys() if not module.startswith(f"{name}.")} - {module}


def reached(module: str) -> set[str]:
    """The module, the modules of the product that it imports, those that they import, and so on."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += arrows(name)
    return found


@pytest.mark.parametrize(
    "module",
    ["steering", "sampling", "prompts", "alignment", "stop", "profile", "errors", "engine.pass_cost"],
)
def test_the_pure_core_knows_no_web_no_database_and_no_models(module: str) -> None:
    foreign = WEB | HTTP | SQL | TENSORS
    for name in reached(f"app.{module}"):
        assert imports(name) & foreign == set(), name


def test_the_loop_knows_neither_http_nor_sql_nor_tensors() -> None:
    for name in reached("app.decoding.speculative"):
        assert imports(name) & (WEB | HTTP | SQL | TENSORS) == set(), name
    assert reached("app.decoding.speculative") & (PRIVATE_SIDE - {"app.profiles.profile"}) == set()


def test_the_remote_s_side_cannot_reach_a_profile() -> None:
    """prompts.py has both prompts, so the remote's side may import its public message alone."""
    from_prompts = set()
    for name in REMOTE_SIDE:
        assert imports(name) & PRIVATE_SIDE == set(), name
        from_prompts |= {i for i in imports(name) if i.startswith("app.prompts.")}
    assert from_prompts == {"app.prompts.message.Message"}


def test_settings_are_read_where_parts_are_wired_and_nowhere_else() -> None:
    assert {name for name in MODULES if "app.settings.settings" in imports(name)} == SETTINGS_READERS


def test_the_environment_is_read_by_settings_alone() -> None:
    """But for pip's: it is run with the user's own environment, so that index and proxy are honoured.

    (huggingface_hub, which the hub source asks for its token and endpoint, reads its own variables.)
    """
    readers = set()
    for name in MODULES:
        for node in ast.walk(tree(name)):
            attribute = node.attr if isinstance(node, ast.Attribute) else None
            imported = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            if attribute in {"environ", "getenv", "environb"} or imported & {"environ", "getenv"}:
                readers.add(name)
    assert readers == {"app.settings.settings", "app.local.weights.wheels"}


def test_http_is_spoken_by_the_remote_and_the_weights_alone() -> None:
    speakers = {name for name in MODULES if imports(name) & HTTP}
    weights = {name for name in speakers if name.startswith("app.weights.")}
    assert speakers - weights == {"app.remote.connection", "app.remote.simulated"}


def test_the_web_framework_stays_at_the_border() -> None:
    border = {name for name in MODULES if imports(name) & WEB}
    wired = {"app.main", "app.cli.serving", "app.network.connections"}
    assert border - wired == {n for n in border if n.startswith("app.api.")}


def test_sql_stays_in_the_store() -> None:
    assert {name for name in MODULES if imports(name) & SQL} <= SQL_MODULES


def test_routes_know_no_models_and_no_remote() -> None:
    for name in MODULES:
        if name.startswith("app.api"):
            assert (
                imports(name) & {"app.remote", "app.remote.embedded", "app.local.model", "app.local.engine"}
                == set()
            )
            assert imports(name) & (HTTP | SQL | TENSORS) == set()


def test_nothing_imports_its_importer() -> None:
    for name in MODULES:
        for other in arrows(name):
            assert name not in reached(other), f"{name} and {other} import each other"


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
