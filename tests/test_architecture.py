"""Who may import whom, as docs/architecture.md says; and that the check would notice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EVERYTHING = ("reconciler", "state")
# The longest prefix of a module decides. A package may always import itself.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "state": (),
    "reconciler.model": (),
    "reconciler.git": (),
    "reconciler.clock": (),
    "reconciler.deadline": (),
    "reconciler.dataframer": (
        "reconciler", "reconciler.model", "reconciler.deadline", "state.records", "state.rules", "state.writes",
    ),
    "reconciler.dataframer.emulator": ("reconciler.dataframer.emulator",),
    "reconciler.config": (
        "reconciler", "reconciler.model", "reconciler.dataframer.fields", "reconciler.dataframer.catalogue",
        "state.postgres.url",
    ),
    "reconciler.planning": (
        "reconciler", "reconciler.model", "reconciler.dataframer", "state.records", "state.rules", "state.writes",
    ),
    "reconciler.applying": ("reconciler.model", "reconciler.dataframer", "state"),
    "reconciler.downloading": (
        "reconciler", "reconciler.clock", "reconciler.model", "reconciler.dataframer", "state.records",
    ),
    "reconciler.forge": ("reconciler", "reconciler.model", "reconciler.deadline"),
    "reconciler.outputs": EVERYTHING,
    "reconciler.views": (
        "reconciler", "reconciler.model", "reconciler.views", "state.records", "state.history",
    ),
    "reconciler.project": ("reconciler.config", "reconciler.dataframer", "reconciler.git", "reconciler.model", "state"),
    "reconciler.revisions": ("reconciler.project", "reconciler.git", "reconciler.config", "reconciler.model"),
    "reconciler.datafolder": (),
    "reconciler.rescuing": ("reconciler.project", "reconciler.datafolder", "reconciler.applying.rescue", "state"),
    "reconciler.safekeeping": (
        "reconciler.project", "reconciler.datafolder", "reconciler.clock", "reconciler.model", "state",
    ),
    "reconciler.transfer": ("reconciler",
        "reconciler.project", "reconciler.safekeeping", "reconciler.rescuing", "reconciler.clock", "state",
    ),
    "reconciler.wiring": EVERYTHING,
    "reconciler.guards": EVERYTHING,
    "reconciler.pipeline": EVERYTHING,
    "reconciler.bookkeeping": EVERYTHING,
    "reconciler.consenting": EVERYTHING,
    "reconciler.surgery": EVERYTHING,
    "reconciler.inspection": EVERYTHING,
    "reconciler.watching": EVERYTHING,
    "reconciler.watching.status": (),
    "reconciler.watching.happenings": ("reconciler.model", "reconciler.watching.status"),
    "reconciler.cli": EVERYTHING,
    "reconciler.__main__": ("reconciler.cli",),
    "reconciler": (),
}  # fmt: skip
LONGEST_MODULE = 310


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    for package in ("reconciler", "state"):
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module)


def within(module: str, prefix: str) -> bool:
    # The bare package name stands for its version only, not for all below it.
    return module == prefix or (prefix != "reconciler" and module.startswith(prefix + "."))


def violations(root: Path) -> list[str]:
    found = []
    for name, path in modules(root):
        rule = max((key for key in MAY_IMPORT if name == key or name.startswith(key + ".")), key=len)
        allowed = (*MAY_IMPORT[rule], *((rule,) if rule != "reconciler" else ()))
        for imported in imports(path):
            ours = imported.partition(".")[0] in ("reconciler", "state")
            free = MAY_IMPORT[rule] is EVERYTHING
            if ours and not free and not any(within(imported, prefix) for prefix in allowed):
                found.append(f"{name} imports {imported}")
    return found


def test_the_import_rules_hold() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("state/records.py", "reconciler.model.run"),
        ("reconciler/planning/diff.py", "reconciler.applying.record"),
        ("reconciler/applying/apply.py", "reconciler.planning.plan"),
        ("reconciler/model/run.py", "reconciler.dataframer.client"),
        ("reconciler/views/paint.py", "reconciler.pipeline"),
        ("reconciler/config/load.py", "state.sqlite.store"),
        ("reconciler/dataframer/emulator/core.py", "reconciler.model.run"),
    ],
)
def test_a_broken_rule_is_found(tmp_path: Path, module: str, imported: str) -> None:
    path = tmp_path / module
    path.parent.mkdir(parents=True)
    path.write_text(f"def late() -> None:\n    import {imported}\n", "utf-8")
    name = module.removesuffix(".py").replace("/", ".")
    assert violations(tmp_path) == [f"{name} imports {imported}"]


def test_planning_decides_without_clock_network_or_database() -> None:
    impure = {"time", "datetime", "random", "httpx", "sqlite3", "sqlite_utils", "os", "socket", "threading"}
    for name in ("diff", "steps", "comparison"):
        path = ROOT / "reconciler" / "planning" / f"{name}.py"
        assert impure.isdisjoint(module.partition(".")[0] for module in imports(path))


def test_there_are_no_import_cycles() -> None:
    known = dict(modules(ROOT))
    graph = {name: {item for item in imports(path) if item in known} for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for item in graph[name]:
                visit(item, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_no_module_grows_without_end() -> None:
    long = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules(ROOT)}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_MODULE} == {}


def test_the_page_names_every_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    packages = {path.parent.name for path in (ROOT / "reconciler").glob("*/__init__.py")}
    assert [name for name in packages if f"reconciler/{name}/" not in page] == []
