"""``[[moved]]`` and ``[[import]]`` blocks: names that changed, and runs that exist already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from reconciler.config.checking import check
from reconciler.config.dependencies import Names
from reconciler.config.findings import Finding, error, warning
from reconciler.config.load import Document, Loaded
from reconciler.config.models import ImportTable, MovedTable
from reconciler.config.positions import Lines, Path, locate
from reconciler.model.address import Address, format_address, spelled, split_address
from reconciler.model.blocks import ImportBlock, MovedBlock
from reconciler.model.diagnostics import Source

_FORM = 'Write run.NAME, or run.NAME["KEY"] in single quotes: \'run.languages["de"]\'.'


class _Block:
    """One block: where it stands, and its texts, as far as they are right."""

    def __init__(self, document: Document, path: Path, table: dict[str, str], source: Source) -> None:
        self.document, self.path, self.table, self.source = document, path, table, source

    def error(self, key: str, summary: str, detail: str, fix: str = "") -> Finding:
        return error(self.document, (*self.path, key), summary, detail, fix, address=self.table.get("to"))


def read_moved(loaded: Loaded, names: Names) -> tuple[tuple[MovedBlock, ...], list[Finding]]:
    """The ``[[moved]]`` blocks of all files, and what is wrong with them."""
    findings: list[Finding] = []
    blocks = list(_blocks(loaded, "moved", MovedTable, findings))
    known = {block.table["from"] for block in blocks}
    told = {key: _Firsts(key) for key in ("from", "to")}
    found: list[tuple[_Block, MovedBlock]] = []
    for block in blocks:
        before, after = block.table["from"], block.table["to"]
        problems = [first for key in told if (first := told[key].repeated(block))]
        if before == after:
            problems.append(block.error("to", "Moved to itself", f"{before} is both from and to."))
        elif names.declared(before, whole="[" not in after):
            detail = f"{before} is still declared, so that what is recorded for it can't be called {after}."
            problems.append(block.error("from", "Moved and declared", detail, "Rename the declaration, or drop this."))
        elif not names.declared(after, whole=True) and after not in known and not names.excused(after):
            detail = f"{after} is not declared: what is moved there will be removed.{names.like(after)}"
            path = (*block.path, "to")
            findings.append(warning(block.document, path, "Moved to nowhere", detail, address=after))
        findings += problems
        if not problems:
            found.append((block, MovedBlock(Address(before), Address(after), block.source)))
    ways = {moved.before: moved.after for _, moved in found}
    for block, moved in found:
        if _returns(moved.before, ways):
            detail = f"Followed on, {moved.before} comes back to itself."
            findings.append(block.error("to", "Moved in a circle", detail))
    return tuple(moved for _, moved in found), findings


def read_imports(
    loaded: Loaded, names: Names, moved: Collection[MovedBlock]
) -> tuple[tuple[ImportBlock, ...], list[Finding]]:
    """The ``[[import]]`` blocks of all files, and what is wrong with them."""
    findings: list[Finding] = []
    told = {key: _Firsts(key) for key in ("to", "id")}
    targets = {block.after for block in moved}
    found: list[ImportBlock] = []
    for block in _blocks(loaded, "import", ImportTable, findings):
        address = block.table["to"]
        problems = [first for key in told if (first := told[key].repeated(block))]
        if not names.declared(address, whole=False) and not names.excused(address):
            detail = f"{address} is not declared.{names.like(address)}"
            problems.append(block.error("to", "Unknown address", detail, "Declare it, or correct the address."))
        elif address in targets:
            detail = f"A [[moved]] block leads to {address} as well; it can have one run only."
            problems.append(block.error("to", "Two sources for one address", detail, "Keep one."))
        findings += problems
        if not problems:
            found.append(ImportBlock(Address(address), block.table["id"], block.source))
    return tuple(found), findings


class _Firsts:
    """Notices what is said twice."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._seen: dict[str, _Block] = {}

    def repeated(self, block: _Block) -> Finding | None:
        """A finding for a value that an earlier block has."""
        value = block.table[self._key]
        first = self._seen.setdefault(value, block)
        if first is block:
            return None
        detail = f"{value} is the {self._key} of the block at {first.source.file}:{first.source.line} as well."
        return block.error(self._key, "Named twice", detail, "Keep one of the two.")


def _blocks(loaded: Loaded, name: str, table: Any, findings: list[Finding]) -> Iterator[_Block]:
    """The blocks that are right on their own."""
    for document in loaded.documents:
        blocks = document.table.get(name, [])
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            detail, fix = f"{name} must be a list of tables.", f"Write [[{name}]]."
            findings.append(error(document, (name,), "Wrong type", detail, fix))
            continue
        paths: list[Path] = [(name, index) for index in range(len(blocks))]
        spans, lines = (locate(document.text, paths), Lines(document.text)) if blocks else ({}, None)
        for path, block in zip(paths, blocks, strict=True):
            problems = check(table, block, document, path, tuple(table.__annotations__), None)
            if not problems and lines is not None:
                source = Source(document.file, *lines.at(spans[path].key))
                made = _Block(document, path, dict(block), source)
                problems = _spell_out(made, [key for key in block if key != "id"])
                if not problems:
                    yield made
            findings += problems


def _spell_out(block: _Block, keys: Iterable[str]) -> list[Finding]:
    """Addresses as they are written everywhere else; what is none is told."""
    problems = []
    for key in keys:
        written = block.table[key]
        try:
            block.table[key] = format_address(*split_address(spelled(written)))
        except ValueError:
            problems.append(block.error(key, "Malformed address", f'"{written}" is no address.', _FORM))
    return problems


def _returns(start: Address, ways: dict[Address, Address]) -> bool:
    at = ways.get(start)
    steps = 0
    while at is not None and at != start and steps <= len(ways):
        at, steps = ways.get(at), steps + 1
    return at == start
