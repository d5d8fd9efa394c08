"""The guard against accidental renames: what was bought under an address that is not declared any more must not be
bought again under another one. Pure.
"""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from reconciler.model.address import split_address
from reconciler.model.changes import Action, Kind
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.request import Instance
from reconciler.planning.comparison import comparable, effective, would_do
from reconciler.planning.diff import Recorded
from state.records import AttemptRecord

_SHOWN = 3
_COMMANDS = 20


def refuse_renames(
    actions: Iterable[Action],
    instances: Mapping[str, Instance],
    recorded: Recorded,
    replaced: Collection[str],
    touched: Collection[str] | None = None,
) -> list[Diagnostic]:
    """An error with the ``[[moved]]`` lines that make the purchases free, where there are such. ``replaced``: addresses
    that a person wants bought again whatever there is; ``touched``: the addresses that a part of the plan is about.
    """
    created = [action for action in actions if action.kind is Kind.CREATE and action.address not in replaced]
    abandoned = [address for address in recorded.instances if address not in instances]
    if not created or not abandoned:
        return []
    pairs = list(_pairs(created, instances, _Abandoned(abandoned, recorded.current, recorded.open)))
    if touched is not None:
        pairs = [(new, old) for new, old in pairs if new.address in touched or old in touched]
    if not pairs:
        return []
    fix = (
        "If this is a rename, add these lines to reconciler.toml, and it costs nothing; "
        "if another run is wanted, use --allow-duplicates."
    )
    first = pairs[0][0]
    summary = "Bought already under another address"
    return [
        Diagnostic(
            Severity.ERROR,
            summary,
            _said(pairs),
            fix,
            first.address,
            first.source,
            tuple(_lines([(old, new.address) for new, old in pairs], abandoned, _block)),
        )
    ]


def mention_forgotten(
    actions: Iterable[Action],
    instances: Mapping[str, Instance],
    known: Collection[str],
    bought: Iterable[AttemptRecord],
    replaced: Collection[str],
) -> list[Diagnostic]:
    """A warning where a run of a forgotten address would do for a purchase under another one: what `state rm`, or a
    plan, forgot may be meant. ``known``: the recorded addresses; ``bought``: attempts, newest first.
    """
    created = [action for action in actions if action.kind is Kind.CREATE and action.address not in replaced]
    newest: dict[str, AttemptRecord] = {}
    for attempt in bought if created else ():
        if attempt.address not in known and attempt.address not in instances and attempt.run_id and not attempt.gone_at:
            newest.setdefault(attempt.address, attempt)
    pairs = list(_pairs(created, instances, _Abandoned(list(newest), newest, {})))
    if not pairs:
        return []
    lines = list(_lines([(old, new.address) for new, old in pairs], [*newest, *known], _command))
    return [
        Diagnostic(
            Severity.WARNING,
            "Bought before under a forgotten address",
            _said(pairs),
            "To take such a run instead, call it by its new name; if another run is wanted, do nothing.",
            pairs[0][0].address,
            pairs[0][0].source,
            (*lines[:_COMMANDS], *([f"# and {len(lines) - _COMMANDS:,} more"] if len(lines) > _COMMANDS else [])),
        )
    ]


def _said(pairs: Sequence[tuple[Action, str]]) -> str:
    shown = "; ".join(f"{new.address} is what {old} has" for new, old in pairs[:_SHOWN])
    more = f"; and {len(pairs) - _SHOWN:,} more" if len(pairs) > _SHOWN else ""
    return f"{shown}{more}. {'It' if len(pairs) == 1 else 'They'} would be bought a second time."


def _pairs(
    created: Iterable[Action], instances: Mapping[str, Instance], abandoned: _Abandoned
) -> Iterator[tuple[Action, str]]:
    for action in created:
        instance = instances[action.address]
        old = abandoned.take(instance)
        if old is not None:
            yield action, old


class _Abandoned:
    """What was bought under addresses that are not declared any more; each is taken once."""

    def __init__(
        self, addresses: Sequence[str], current: Mapping[str, AttemptRecord], open_: Mapping[str, AttemptRecord]
    ) -> None:
        self._left: dict[str, tuple[AttemptRecord, bool, dict[str, object]]] = {}
        self._exact: dict[str, list[str]] = defaultdict(list)
        self._alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for address in reversed(addresses):  # the lists are used up from their ends
            unknown = open_.get(address)
            attempt = unknown or current.get(address)
            if attempt is None:
                continue
            asked = effective(attempt)
            self._left[address] = attempt, unknown is not None, asked
            self._exact[attempt.request_digest].append(address)
            for key in _keys(asked, asked.get("generation_model")):
                self._alike[key].append(address)

    def take(self, instance: Instance) -> str | None:
        """An address whose run, or unknown submission, would do for an instance."""
        wanted = comparable(instance.request)
        model = wanted.get("generation_model")
        key = _keys(wanted, model)[0 if model is not None else 1]
        for places in (self._exact[instance.request.digest], self._alike[key]):
            while places and places[-1] not in self._left:
                places.pop()
            for address in reversed(places):
                attempt, unknown, asked = self._left.get(address, (None, False, {}))
                if attempt is None or not wanted.items() <= asked.items():
                    continue
                if unknown or would_do(instance, attempt):
                    del self._left[address]
                    return address
        return None


def _keys(fields: Mapping[str, object], model: object) -> tuple[tuple[object, ...], ...]:
    """Where to look among many: with the model, and without for a declaration that leaves it to the service."""
    common = fields.get("spec_id"), fields.get("rerun"), fields.get("number_of_samples")
    return (*common, model), common


def _lines(
    pairs: Sequence[tuple[str, str]], abandoned: Collection[str], of_pair: Callable[[str, str], Iterator[str]]
) -> Iterator[str]:
    """What to write for each pair; once for a whole declaration whose instances keep their keys."""
    names: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for old, new in pairs:
        names[split_address(old)[0], split_address(new)[0]].append((old, new))
    for (old_name, new_name), found in names.items():
        whole = old_name != new_name and all(split_address(old)[1] == split_address(new)[1] for old, new in found)
        left = sum(1 for address in abandoned if address.startswith(f"run.{old_name}["))
        if whole and left == len(found) > 1:
            yield from of_pair(f"run.{old_name}", f"run.{new_name}")
        else:
            for old, new in found:
                yield from of_pair(old, new)


def _block(old: str, new: str) -> Iterator[str]:
    yield from ("[[moved]]", f"from = {_toml(old)}", f"to = {_toml(new)}")


def _command(old: str, new: str) -> Iterator[str]:
    yield f"reconciler state mv {shlex.quote(old)} {shlex.quote(new)}"


def _toml(address: str) -> str:
    plain = "'" not in address and address.isprintable()
    return f"'{address}'" if plain and '"' in address else json.dumps(address, ensure_ascii=not address.isprintable())
