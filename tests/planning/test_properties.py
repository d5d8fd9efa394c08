"""What holds of every plan, whatever is declared and recorded."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.changes import Action, Kind
from reconciler.model.plan import Plan
from reconciler.model.run import is_final
from reconciler.planning.diff import Decisions, diff
from reconciler.planning.plan import Circumstances, plan
from reconciler.planning.specs import Specs
from tests.planning.worlds import World, shuffled, worlds

often = settings(max_examples=50, deadline=None)


def decide(world: World) -> Decisions:
    return diff(world.instances, world.recorded, world.replace)


def plan_of(world: World) -> Plan:
    around = Circumstances("emulator", "2026-01-01T00:00:00.000Z", True, None, lambda address, field: None)
    return plan(world.instances, decide(world), Specs(), [], around)


def deciding(decisions: Decisions) -> list[Action]:
    return [action for action in decisions.actions if not action.deposed and action.kind is not Kind.UPDATE]


@often
@given(worlds())
def test_the_same_world_is_decided_the_same(world: World) -> None:
    assert decide(world) == decide(world)


@often
@given(worlds(), st.data())
def test_the_order_of_declarations_and_records_decides_nothing(world: World, data: st.DataObject) -> None:
    one, other = decide(world), decide(shuffled(world, data))
    for field in ("actions", "unchanged", "unmet", "drift", "diagnostics"):
        assert Counter(map(repr, getattr(one, field))) == Counter(map(repr, getattr(other, field)))
    assert plan_of(world).digest == plan_of(shuffled(world, data)).digest


@often
@given(worlds())
def test_an_address_gets_one_decision(world: World) -> None:
    made = decide(world)
    updated = {action.address for action in made.actions if action.kind is Kind.UPDATE}
    met = Counter([item.address for item in deciding(made)])
    met.update(item.address for item in made.unchanged)
    met.update(item.address for item in made.unmet)
    wanted = {instance.address for instance in world.instances} | set(world.recorded.instances)
    assert set(met) | updated == wanted
    assert max(met.values(), default=1) == 1
    assert updated.isdisjoint(action.address for action in deciding(made))
    assert updated.isdisjoint(item.address for item in made.unchanged)


@often
@given(worlds())
def test_an_open_submission_blocks_its_address(world: World) -> None:
    made = decide(world)
    touched = {action.address for action in made.actions if not action.deposed}
    unknown = {item.address for item in made.unmet if item.kind == "unknown"}
    known = {instance.address for instance in world.instances} | set(world.recorded.instances)
    assert touched.isdisjoint(world.recorded.open)
    assert unknown == set(world.recorded.open) & known


@often
@given(worlds())
def test_what_satisfies_or_works_is_not_bought_again(world: World) -> None:
    requests = {instance.address: instance for instance in world.instances}
    for action in decide(world).actions:
        if not action.buys or action.address in world.replace:
            continue
        instance = requests[action.address]
        for attempt in world.recorded.history[action.address]:
            exact = attempt.request_digest == instance.request.digest and not attempt.imported and attempt.run_id
            enough = (attempt.samples_completed or 0) >= instance.lifecycle.min_samples
            working = not is_final(attempt.status)
            assert not (exact and not attempt.gone_at and (working or (attempt.status == "SUCCEEDED" and enough)))


@often
@given(worlds())
def test_only_what_failed_is_retried_and_not_too_often(world: World) -> None:
    most = {instance.address: instance.lifecycle.max_attempts for instance in world.instances}
    for action in decide(world).actions:
        if action.kind is Kind.RETRY:
            assert action.after is not None
            same = [a for a in world.recorded.history[action.address] if a.request_digest == action.after.digest]
            assert any(attempt.status == "FAILED" for attempt in same)
            assert sum(1 for attempt in same if attempt.run_id) < most[action.address]


@often
@given(worlds())
def test_a_plan_that_ends_a_protected_run_is_not_valid(world: World) -> None:
    made = plan_of(world)
    declared = {instance.address: instance.lifecycle for instance in world.instances}
    ending = {Kind.REPLACE, Kind.CANCEL, Kind.DELETE, Kind.FORGET}
    for action in made.actions:
        lifecycle = declared.get(action.address) or action.lifecycle_before
        if lifecycle and lifecycle.protect and not action.deposed and (action.kind in ending or action.stops):
            assert not made.valid


@often
@given(worlds())
def test_reasons_and_lines_drive_nothing(world: World) -> None:
    made = plan_of(world)
    retold = [replace(action, reason="because", source=None) for action in made.actions]
    assert replace(made, actions=tuple(reversed(retold)), timestamp="later", plan_id="other").digest == made.digest
