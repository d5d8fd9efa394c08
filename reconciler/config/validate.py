"""Stage 3: every table and rule checked; what is right becomes instances."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.config.blocks import read_imports, read_moved
from reconciler.config.dependencies import Names, depended_on
from reconciler.config.expand import Declaration, Expanded
from reconciler.config.findings import Finding, error, to_diagnostics
from reconciler.config.instances import Instances
from reconciler.config.layers import Declared, Emptied, Layer, deciding
from reconciler.config.load import Loaded
from reconciler.config.positions import Lines, locate
from reconciler.config.rules import Rules
from reconciler.config.settings import MOST_FINDINGS, SETTINGS_TABLES, Settings, read_aliases, read_settings
from reconciler.config.tables import Tables
from reconciler.config.variables import MISSING
from reconciler.model.blocks import ImportBlock, MovedBlock
from reconciler.model.diagnostics import Diagnostic, Severity, Source, errors, ordered
from reconciler.model.request import Instance


class Desired(Struct, frozen=True):
    """What the project's files say. ``instances`` is complete only without errors."""

    settings: Settings
    instances: tuple[Instance, ...]
    diagnostics: tuple[Diagnostic, ...]
    layers: Mapping[str, tuple[Layer, ...]] = field(default_factory=dict)  # by address, from the strongest; no values
    moved: tuple[MovedBlock, ...] = ()
    imports: tuple[ImportBlock, ...] = ()
    settings_known: bool = True  # no setting refers to a variable that has no value

    def where(self, address: str, key: str) -> Source | None:
        """The line of a value that an instance declares, or takes from defaults."""
        layer = deciding(self.layers.get(address, ()), key)
        if layer is None:
            return None
        path = layer.place(key)
        span = locate(layer.document.text, [path])[path]
        return Source(layer.document.file, *Lines(layer.document.text).at(span.value))

    @property
    def records_readable(self) -> bool:
        """Whether the state can be found: nothing is wrong but that variables of declarations have no value."""
        return self.settings_known and all(found.summary == MISSING for found in errors(self.diagnostics))

    @property
    def valid(self) -> bool:
        """Whether the files are right, warnings aside."""
        return not errors(self.diagnostics)


def validate(loaded: Loaded, expanded: Expanded) -> Desired:
    """Check everything, offline; all problems at once."""
    settings, findings = read_settings(loaded)
    aliases, more = read_aliases(loaded)
    names = Names(expanded)
    dependencies, wrong = depended_on(expanded, names)
    moved, misplaced = read_moved(loaded, names)
    imports, unfit = read_imports(loaded, names, moved)
    findings = [*findings, *more, *expanded.findings, *wrong, *misplaced, *unfit]
    checking = _Checking(aliases, settings, Instances(expanded.declarations, aliases, dependencies))
    for layer in expanded.defaults:
        findings.extend(checking.tables.look_at(layer, None))
    for declaration in expanded.declarations:
        findings.extend(checking.look_at(declaration))
        if checking.stopped:
            break
    diagnostics = ordered([*loaded.diagnostics, *to_diagnostics(findings)])
    emptied = Emptied()
    layers: dict[str, tuple[Layer, ...]] = {
        item.address: emptied.of(item.layers) for each in expanded.declarations for item in each.instances
    }
    known = not any(
        path[0] in SETTINGS_TABLES
        for document in (loaded.top, loaded.environment)
        if document
        for path in document.broken
    )
    return Desired(settings, tuple(checking.instances), tuple(diagnostics), layers, moved, imports, known)


class _Checking:
    """Goes through the declarations, and keeps what is right."""

    def __init__(self, aliases: Mapping[str, str], settings: Settings, making: Instances) -> None:
        self.tables = Tables()
        self.instances: list[Instance] = []
        self.stopped = False  # so much is wrong that nobody reads on
        self._wrong = 0  # instances
        self._rules, self._making = Rules(aliases, settings.extra_models), making

    def look_at(self, declaration: Declaration) -> list[Finding]:
        """What is wrong with a declaration; each problem of its text once, however many instances share it."""
        name, own = f"run.{declaration.name}", declaration.own
        findings: list[Finding] = []
        told: dict[object, list[Finding]] = {}
        groups: list[list[Finding]] = []  # of the instance that was looked at last
        before, sound = None, True
        for declared in declaration.instances:
            if self._wrong >= MOST_FINDINGS:
                self.stopped = True
                findings.append(self._too_many(declared, name))
                break
            if declared.values is not before and self._right(own, declared):
                before, sound, groups = declared.values, True, []
            elif declared.values is before:  # shards are alike
                for group in groups:
                    group.append(group[0])
            else:
                before = declared.values
                new = self.tables.look_at(own, name, is_declaration=True)
                for layer in declared.layers:
                    new += self.tables.look_at(layer, declared.address)
                unsound = self.tables.unsound(declared.layers)
                problems = self._rules.findings(declared, unsound)
                sound = not unsound and not any(item.severity is Severity.ERROR for item in problems)
                findings += new
                groups = [told.setdefault(_likeness(declared, problem), []) for problem in problems]
                new += [problem for problem, group in zip(problems, groups, strict=True) if not group]
                self._wrong += any(item.severity is Severity.ERROR for item in new)
                for problem, group in zip(problems, groups, strict=True):
                    group.append(problem)
            if sound:
                self.instances.append(self._making.of(declaration, declared))
        if not declaration.instances:
            findings += self.tables.look_at(own, name, is_declaration=True)
        return [*findings, *(_once(group, name) for group in told.values())] if findings or told else findings

    def _right(self, own: Layer, declared: Declared) -> bool:
        """Whether nothing can be wrong: a quick look, for nearly all instances of nearly all projects."""
        tables = self.tables
        if not tables.right(own, is_declaration=True):
            return False
        for layer in declared.layers:
            if not tables.right(layer):
                return False
        return self._rules.kept(declared)

    def _too_many(self, declared: Declared, name: str) -> Finding:
        detail = f"{self._wrong:,} instances are wrong; this one and what follows were not checked."
        home = declared.home
        return error(home.document, home.path, "Too many problems", detail, "Correct those first.", address=name)


def _once(alike: list[Finding], name: str) -> Finding:
    """The first of problems that are one, with the number of the others."""
    first, more = alike[0], len(alike) - 1
    return (
        replace(first, detail=f"{first.detail} So it is with {more:,} more of {name}'s instances.") if more else first
    )


def _likeness(declared: Declared, problem: Finding) -> object:
    """Equal for problems that the text has once: at one value, or in equal words of tables that lack one."""
    home = declared.home
    if problem.document is home.document and problem.path == home.path:
        return problem.summary, problem.detail.replace(declared.address, "")
    return id(problem.document), problem.path, problem.summary
