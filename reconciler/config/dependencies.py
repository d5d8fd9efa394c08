"""``depends_on``: which instances a declaration waits for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import islice

from reconciler.config.expand import Declaration, Expanded
from reconciler.config.findings import Finding, error
from reconciler.config.positions import Path
from reconciler.model.address import Address, matching, nearest, spelled

_MOST_CYCLES = 20  # that are told
_MOST_NAMES = 1_000  # among which a near one is looked for
_MOST_GUESSES = 20


class Names:
    """Every declared address, and what may be missing because of errors that are told already."""

    def __init__(self, expanded: Expanded) -> None:
        self.owners = {item.address: each.name for each in expanded.declarations for item in each.instances}
        self._declarations = expanded.declarations
        self._broken = tuple(f"run.{each.name}" for each in expanded.declarations if each.broken)
        self._found: dict[str, tuple[Address, ...]] = {}
        self._guesses = _MOST_GUESSES

    @cached_property
    def _instances(self) -> dict[str, tuple[Address, ...]]:
        """By what a declaration is called. Most projects ask for none."""
        return {f"run.{each.name}": tuple(item.address for item in each.instances) for each in self._declarations}

    def named(self, pattern: str) -> tuple[Address, ...]:
        """The declared addresses that a pattern names."""
        if pattern not in self._found:
            found = self._instances.get(pattern)
            self._found[pattern] = tuple(map(Address, matching(pattern, self.owners))) if found is None else found
        return self._found[pattern]

    def declared(self, address: str, *, whole: bool) -> bool:
        """Whether it is the address of an instance, or, with ``whole``, a declaration's name for all of them."""
        return address in self.owners or (whole and address in self._instances)

    def excused(self, pattern: str) -> bool:
        """Whether it may name an instance that is only missing because its declaration is wrong."""
        wanted = spelled(pattern).partition("[")[0]
        return any(wanted == name or matching(wanted, [name]) for name in self._broken)

    def like(self, pattern: str) -> str:
        """`` Did you mean …?``, or an empty text; of many, only the first are looked for."""
        self._guesses -= 1
        if self._guesses < 0:
            return ""
        name = spelled(pattern).partition("[")[0]
        of_it = self._instances.get(name, ()) if name != pattern else ()
        return nearest(pattern, islice((*of_it, *self._instances), _MOST_NAMES))


def depended_on(expanded: Expanded, names: Names) -> tuple[dict[str, tuple[Address, ...]], list[Finding]]:
    """By declaration: the addresses that its instances depend on, sorted; and what is wrong with ``depends_on``."""
    found: dict[str, tuple[Address, ...]] = {}
    findings: list[Finding] = []
    waits: dict[str, dict[str, Path]] = {}  # declaration: what it waits for, and where it says so
    by_name = {declaration.name: declaration for declaration in expanded.declarations}
    for declaration in expanded.declarations:
        addresses: set[Address] = set()
        for path, entry in _entries(declaration):
            named = names.named(entry)
            owners = dict.fromkeys(names.owners[address] for address in named)
            if not named and not names.excused(entry):
                detail = f"{entry} names no declared run.{names.like(entry)}"
                fix = "Name an address, a declaration, or several with * and ?."
                findings.append(_error(declaration, path, "Unknown address", detail, fix))
            if declaration.name in owners:
                detail = f"{entry} is or includes run.{declaration.name} itself."
                findings.append(_error(declaration, path, "It depends on itself", detail, "Take it out."))
                continue
            addresses.update(named)
            for owner in owners:
                waits.setdefault(declaration.name, {}).setdefault(owner, path)
        if addresses:
            found[declaration.name] = tuple(sorted(addresses))
    findings.extend(_cycles(waits, by_name))
    return found, findings


def _entries(declaration: Declaration) -> Iterator[tuple[Path, str]]:
    entries = declaration.own.table.get("depends_on", ())
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, str) and entry:
            yield (*declaration.own.path, "depends_on", index), entry


def _cycles(waits: dict[str, dict[str, Path]], by_name: dict[str, Declaration]) -> Iterator[Finding]:
    """All instances of a declaration wait for the same ones, so a cycle of instances is one of declarations."""
    for _ in range(_MOST_CYCLES):
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as problem:
            circle = list(reversed(problem.args[1]))  # each waits for the next
            first = circle.index(min(circle[:-1]))
            circle = [*circle[first:-1], *circle[:first], circle[first]]
            path = waits[circle[0]].pop(circle[1])
            way = " → ".join(f"run.{name}" for name in circle)
            yield _error(
                by_name[circle[0]], path, "A circle of dependencies", f"{way}: none could start.", "Take one out."
            )
        else:
            return


def _error(declaration: Declaration, path: Path, summary: str, detail: str, fix: str) -> Finding:
    return error(declaration.own.document, path, summary, detail, fix, address=f"run.{declaration.name}")
