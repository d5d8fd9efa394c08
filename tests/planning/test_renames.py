"""The guard against accidental renames, among very many."""

from __future__ import annotations

import itertools

from msgspec.structs import replace

from reconciler.model.address import Address, format_address
from reconciler.model.changes import Action
from reconciler.model.diagnostics import Severity, Source
from reconciler.model.request import Instance, Lifecycle, Request, canonical_json
from reconciler.planning.diff import Recorded, diff
from reconciler.planning.renames import mention_forgotten, refuse_renames
from state.records import AttemptRecord, InstanceRecord, Phase
from tests.planning.plans import AT, SPEC

MODELS = ("m/one", "m/two", "m/three")


def instances(name: str, count: int, more: dict[str, object]) -> dict[str, Instance]:
    found = {}
    for number, model in itertools.islice(itertools.product(range(count), MODELS), count):
        address = format_address(name, f"{model},{number}")
        fields = {"spec_id": SPEC, "number_of_samples": 10 + number, "generation_model": model, **more}
        found[str(address)] = Instance(address, Request.of(fields), Lifecycle(), Source("reconciler.toml", 1))
    return found


def recorded(bought: dict[str, Instance], **reported: object) -> Recorded:
    current = {
        address: AttemptRecord(
            attempt_id=address,
            address=address,
            number=1,
            phase=Phase.ACCEPTED,
            request_digest=item.request.digest,
            rerun=0,
            sent_json=canonical_json(item.request.body()),
            inferred_json="[]",
            spec_id=SPEC,
            prepared_at=AT,
            run_id=f"r-{address}",
            status="SUCCEEDED",
            reported_json=canonical_json(reported),
        )
        for address, item in bought.items()
    }
    rows = {address: InstanceRecord(address, address, Lifecycle().to_json(), AT) for address in bought}
    return Recorded(rows, current)


def creates(wanted: dict[str, Instance], state: Recorded) -> list[Action]:
    return [action for action in diff(wanted.values(), state).actions if action.buys]


def test_each_of_thousands_finds_its_own() -> None:
    old, new = instances("old", 3_000, {}), instances("new", 3_000, {"skip_outline": False})
    state = recorded(old, skip_outline=False)
    (found,) = refuse_renames(creates(new, state), new, state, ())
    assert found.proposal == ("[[moved]]", 'from = "run.old"', 'to = "run.new"')
    assert "and 2,997 more" in found.detail


def test_thousands_that_fit_nothing_are_no_rename() -> None:
    old, new = instances("old", 3_000, {}), instances("new", 3_000, {"skip_outline": True})
    state = recorded(old, skip_outline=False)
    assert refuse_renames(creates(new, state), new, state, ()) == []


def test_one_run_frees_one_purchase_only() -> None:
    old = instances("old", 1, {})
    twice = {f"run.new{number}": Instance(Address(f"run.new{number}"), next(iter(old.values())).request, Lifecycle(),
                                          Source("reconciler.toml", number)) for number in (1, 2)}  # fmt: skip
    state = recorded(old)
    (found,) = refuse_renames(creates(twice, state), twice, state, ())
    assert found.proposal == ("[[moved]]", "from = 'run.old[\"m/one,0\"]'", 'to = "run.new1"')
    assert refuse_renames(creates(twice, state), twice, state, ["run.new1", "run.new2"]) == []


def test_a_run_of_a_forgotten_address_is_mentioned_with_the_command_that_takes_it() -> None:
    old, new = instances("old", 1, {}), instances("new", 1, {})
    bought = list(recorded(old).current.values())
    actions = creates(new, Recorded())
    (found,) = mention_forgotten(actions, new, (), bought, ())
    assert (found.severity, found.summary) == (Severity.WARNING, "Bought before under a forgotten address")
    assert found.proposal == ("""reconciler state mv 'run.old["m/one,0"]' 'run.new["m/one,0"]'""",)
    assert mention_forgotten(actions, new, list(old), bought, ()) == []  # recorded: the guard's
    assert mention_forgotten(actions, new, (), bought, list(new)) == []  # wanted again
    gone = [replace(attempt, gone_at=AT) for attempt in bought]
    assert mention_forgotten(actions, new, (), gone, ()) == []


def test_many_forgotten_runs_are_one_command_or_a_few() -> None:
    old, new = instances("old", 60, {}), instances("new", 60, {})
    bought = list(recorded(old).current.values())
    (whole,) = mention_forgotten(creates(new, Recorded()), new, (), bought, ())
    assert whole.proposal == ("reconciler state mv run.old run.new",)
    (some,) = mention_forgotten(creates(new, Recorded()), new, ['run.old["still there"]'], bought, ())
    assert (len(some.proposal), some.proposal[-1]) == (21, "# and 40 more")
