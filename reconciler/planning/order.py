"""Which purchases wait for which (``depends_on``): waves, and what is deferred because it would wait in vain. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import Action
from reconciler.model.plan import Unmet
from reconciler.model.request import Instance
from reconciler.model.run import RunStatus, is_final
from reconciler.planning.diff import Decisions


def order(decisions: Decisions, instances: Collection[Instance]) -> Decisions:
    """The same decisions, with the purchases that depend on others after them, and deferred ones among the unmet."""
    dependent: dict[str, Instance] = {item.address: item for item in instances if item.depends_on}
    buying: dict[str, Action] = {action.address: action for action in decisions.actions if action.buys}
    if not any(address in buying for address in dependent):
        return decisions
    return _Order(decisions, dependent, buying).ordered()


class _Waiting(Struct, frozen=True):
    addresses: tuple[Address, ...]
    wave: int


class _Order:
    def __init__(self, decisions: Decisions, dependent: Mapping[str, Instance], buying: Mapping[str, Action]) -> None:
        self._decisions = decisions
        self._dependent = dependent
        self._buying = dict(buying)
        self._unmet = {item.address: item for item in decisions.unmet}
        self._working = {
            item.address for item in decisions.unchanged if item.progress and not is_final(item.progress.status)
        }
        self._met = {item.address for item in decisions.unchanged} - self._working
        for action in decisions.actions:  # of a lifecycle, a reuse, an import, a move: the run that is there
            if action.subject and not action.buys and not action.stops and action.subject.status == RunStatus.SUCCEEDED:
                self._met.add(action.address)
            elif not action.buys and not action.moved_from:
                self._working.add(action.address)
        self._found: dict[
            int, _Waiting | str
        ] = {}  # by identity of what is depended on: a declaration's instances share it

    def ordered(self) -> Decisions:
        for address in self._sorted():
            if address in self._buying:
                self._place(self._buying[address], self._dependent[address])
        actions = tuple(
            self._buying.get(action.address, action) if action.buys else action
            for action in self._decisions.actions
            if not action.buys or action.address in self._buying
        )
        return replace(self._decisions, actions=actions, unmet=tuple(self._unmet.values()))

    def _sorted(self) -> Iterator[str]:
        """The dependent addresses, each after those that it depends on. What many depend on alike is one node more."""
        graph: dict[str | int, Iterable[str | int]] = {}
        for item in self._dependent.values():
            graph[item.address] = (id(item.depends_on),)
            graph[id(item.depends_on)] = item.depends_on
        for node in TopologicalSorter(graph).static_order():
            if isinstance(node, str) and node in self._dependent:
                yield node

    def _place(self, action: Action, instance: Instance) -> None:
        key = id(instance.depends_on)
        if key not in self._found:
            self._found[key] = self._look(instance.depends_on)
        found = self._found[key]
        if isinstance(found, _Waiting):
            self._buying[action.address] = replace(action, depends_on=found.addresses, wave=found.wave)
        else:
            del self._buying[action.address]
            why = f"deferred: it depends on {found}"
            self._unmet[action.address] = Unmet(action.address, "deferred", why, action.source)

    def _look(self, depends_on: tuple[Address, ...]) -> _Waiting | str:
        """What has to be waited for; or, in words, why that would be in vain."""
        waits, wave = list[Address](), 1
        for address in depends_on:
            if address in self._buying:
                waits.append(address)
                wave = max(wave, self._buying[address].wave + 1)
            elif address in self._unmet:
                return f"{address}, which is unmet ({self._unmet[address].kind})"
            elif address in self._working:
                waits.append(address)
                wave = max(wave, 2)
            elif address not in self._met:
                return f"{address}, which this plan leaves out"
        return _Waiting(tuple(waits), wave)
