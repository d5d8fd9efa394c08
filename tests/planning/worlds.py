"""Worlds for property tests: what is declared and what is recorded, consistent but otherwise arbitrary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.diagnostics import Source
from reconciler.model.request import Instance, Lifecycle, Request, canonical_json
from reconciler.planning.diff import Recorded
from state.records import AttemptRecord, InstanceRecord, OwedRecord, Phase

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
AT = "2026-01-01T00:00:00.000Z"
ADDRESSES = ("run.a", "run.b", "run.c", "run.d")
LIFECYCLES = st.builds(
    Lifecycle,
    protect=st.booleans(),
    on_remove=st.sampled_from(["cancel", "keep", "delete"]),
    on_change=st.sampled_from(["replace", "keep"]),
    max_attempts=st.integers(1, 3),
    min_samples=st.sampled_from([0, 5, 10]),
)
REQUESTS = st.builds(
    lambda samples, extra, rerun: Request.of({"spec_id": SPEC, "number_of_samples": samples, **extra}, rerun),
    st.sampled_from([10, 20]),
    st.sampled_from([{}, {"tools": ["calculator"]}, {"seed_shuffling_level": "field"}]),
    st.integers(0, 1),
)


@dataclass(frozen=True)
class World:
    instances: tuple[Instance, ...]
    recorded: Recorded
    replace: frozenset[str]


@st.composite
def an_attempt(draw: st.DrawFn, address: str, number: int, closed: bool) -> AttemptRecord:
    phases = [Phase.ACCEPTED] * 4 + [Phase.REJECTED, Phase.ABANDONED, Phase.PREPARED]
    phase = draw(st.sampled_from(phases if closed else [*phases, Phase.UNKNOWN, Phase.SENDING]))
    request, accepted = draw(REQUESTS), phase is Phase.ACCEPTED
    imported = accepted and draw(st.integers(0, 5)) == 0
    reported: dict[str, Any] | None = dict(request.body()) if imported or draw(st.booleans()) else None
    if reported is not None and draw(st.booleans()):
        reported["number_of_samples"] = draw(st.sampled_from([10, 20]))
    return AttemptRecord(
        attempt_id=f"{address}-{number}",
        address=address,
        number=number,
        phase=phase,
        request_digest=request.digest,
        rerun=request.rerun,
        sent_json=canonical_json({} if imported else request.body()),
        inferred_json="[]",
        spec_id=SPEC,
        prepared_at=AT,
        run_id=f"r-{address}-{number}" if accepted else None,
        provisional=accepted and not closed and draw(st.booleans()),
        imported=imported,
        status=draw(st.sampled_from(["PENDING", "PROCESSING", "SUCCEEDED", "FAILED", "CANCELED"]))
        if accepted
        else None,
        samples_completed=draw(st.integers(0, 10)) if accepted else None,
        reported_json=canonical_json(reported) if accepted and reported is not None else None,
        gone_at=AT if accepted and draw(st.integers(0, 4)) == 0 else None,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    instances, records, current, open_, history = [], {}, {}, {}, {}
    owed: list[tuple[OwedRecord, AttemptRecord | None]] = []
    for line, address in enumerate(ADDRESSES):
        if draw(st.booleans()):
            source = Source("reconciler.toml", line + 1)
            instances.append(Instance(Address(address), draw(REQUESTS), draw(LIFECYCLES), source))
        count = draw(st.integers(0, 3))
        tried = tuple(draw(an_attempt(address, number, closed=number < count)) for number in range(1, count + 1))
        history[address] = tried
        unsettled = [item for item in tried if item.provisional or item.phase in (Phase.UNKNOWN, Phase.SENDING)]
        if unsettled:
            open_[address] = unsettled[-1]
        with_run = [item for item in tried if item.run_id]
        if draw(st.integers(0, 4)) or unsettled:
            pointed = draw(st.sampled_from(with_run)) if with_run else None
            records[address] = InstanceRecord(
                address, pointed.attempt_id if pointed else None, draw(LIFECYCLES).to_json(), AT
            )
            if pointed:
                current[address] = pointed
        displaced = [item for item in with_run if current.get(address) is not item and not item.provisional]
        if draw(st.booleans()) and displaced:
            owed.append((OwedRecord(str(displaced[0].run_id), address, "replaced", AT), displaced[0]))
    chosen = draw(st.frozensets(st.sampled_from(ADDRESSES), max_size=2))
    return World(tuple(instances), Recorded(records, current, open_, history, tuple(owed), draw(st.booleans())), chosen)


def shuffled(world: World, draw: st.DataObject) -> World:
    """The same world, told in another order."""
    recorded, order = world.recorded, draw.draw(st.permutations(ADDRESSES))
    return World(
        tuple(draw.draw(st.permutations(world.instances))),
        replace(
            recorded,
            instances={key: recorded.instances[key] for key in order if key in recorded.instances},
            current={key: recorded.current[key] for key in order if key in recorded.current},
            open={key: recorded.open[key] for key in order if key in recorded.open},
            history={key: recorded.history[key] for key in order},
            owed=tuple(draw.draw(st.permutations(recorded.owed))),
        ),
        world.replace,
    )
