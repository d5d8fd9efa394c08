"""From a declared instance whose values are right to the value that the later stages work with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from sys import intern
from typing import Final

from reconciler.config.expand import Declaration
from reconciler.config.layers import Declared, Values
from reconciler.config.load import Document
from reconciler.config.positions import Lines, Path, header_places, locate
from reconciler.config.settings import to_secret
from reconciler.dataframer.fields import LEGACY_EXPANSION, RUN_FIELDS, SECRET_FIELDS
from reconciler.model.address import Address
from reconciler.model.diagnostics import Source
from reconciler.model.request import FieldValue, Instance, Lifecycle, Request, SecretRef

_SENT: Final = tuple(name for name in RUN_FIELDS if name not in (*SECRET_FIELDS, "spec_id", "enable_revisions"))


_SECRETS: Final = frozenset(SECRET_FIELDS)
_DEFAULT: Final = Lifecycle()


def _references(values: Values) -> tuple[tuple[str, SecretRef], ...]:
    return tuple((name, to_secret(values[name])) for name in SECRET_FIELDS if name in values)


class Instances:
    """Makes instances; what many of them have in common is made once."""

    def __init__(
        self,
        declarations: Iterable[Declaration],
        aliases: Mapping[str, str],
        dependencies: Mapping[str, tuple[Address, ...]],
    ) -> None:
        self._aliases, self._dependencies, self._places = aliases, dependencies, _Places(declarations)
        self._values: Values | None = None
        self._orders: dict[tuple[str, ...], tuple[str, ...]] = {}  # of the sent fields among some keys
        self._request = Request(())
        self._lists: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._lifecycles: dict[tuple[tuple[str, object], ...], Lifecycle] = {}

    def of(self, declaration: Declaration, declared: Declared) -> Instance:
        """One instance."""
        values = declared.values
        lifecycle = values.get("lifecycle", {})
        legacy = values.get("enable_revisions") is True
        if values is not self._values:  # shards share theirs
            self._values, self._request = values, self._asked(values, lifecycle.get("rerun", 0), legacy)
        return Instance(
            declared.address,
            self._request,
            self._lifecycle(lifecycle),
            self._places.of(declaration, declared),
            () if _SECRETS.isdisjoint(values) else _references(values),
            spec_name=values.get("spec_name"),
            legacy_revisions=legacy,
            follows_latest=values.get("spec_version") == "latest",
            depends_on=self._dependencies.get(declaration.name, ()),
        )

    def _asked(self, values: Values, rerun: int, legacy: bool) -> Request:
        keys = tuple(values)
        order = self._orders.get(keys)
        if order is None:
            order = self._orders[keys] = tuple(name for name in _SENT if name in values)
        spec_id = values.get("spec_id") or self._aliases.get(values.get("spec") or "")
        asked: list[tuple[str, FieldValue]] = [] if spec_id is None else [("spec_id", spec_id.lower())]
        for name in order:
            value = values[name]
            if type(value) is str:  # thousands of texts are alike
                value = intern(value)
            elif type(value) is list:
                value = tuple(value)
                value = self._lists.setdefault(value, value)
            if name != "spec_version" or value != "latest":
                asked.append((name, value))
        if legacy:
            asked = [pair for pair in asked if pair[0] not in LEGACY_EXPANSION] + list(LEGACY_EXPANSION.items())
        return Request(tuple(asked), rerun)

    def _lifecycle(self, table: Values) -> Lifecycle:
        if not table:
            return _DEFAULT
        pairs = tuple(pair for pair in table.items() if pair[0] != "rerun")
        if pairs not in self._lifecycles:
            self._lifecycles[pairs] = Lifecycle(**dict(pairs))
        return self._lifecycles[pairs]


class _Places:
    """The line of each declaration, and of each key of a ``for_each``; each file is looked through once."""

    def __init__(self, declarations: Iterable[Declaration]) -> None:
        self._by_document: dict[int, list[Declaration]] = defaultdict(list)
        for declaration in declarations:
            self._by_document[id(declaration.own.document)].append(declaration)
        self._known: dict[int, dict[Path, Source]] = {}

    def of(self, declaration: Declaration, declared: Declared) -> Source:
        """The line that an instance owes itself to."""
        document = declaration.own.document
        if id(document) not in self._known:
            self._known[id(document)] = self._look_through(document)
        return self._known[id(document)][declared.home.path if declaration.is_keyed else declaration.own.path]

    def _look_through(self, document: Document) -> dict[Path, Source]:
        places = header_places(document.text)
        found: dict[Path, Source] = {}
        wanted: list[Path] = []
        for declaration in self._by_document[id(document)]:
            place = places.get(declaration.name)
            if declaration.is_keyed:
                wanted.extend(declared.home.path for declared in declaration.instances)
            elif place is None:  # written in another form: run.NAME.key = …, or an inline table
                wanted.append(declaration.own.path)
            else:
                found[declaration.own.path] = Source(document.file, *place)
        if not wanted:
            return found
        lines = Lines(document.text)
        for path, span in locate(document.text, wanted).items():
            found[path] = Source(document.file, *lines.at(span.key))
        return found
