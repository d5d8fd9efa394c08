"""Saved plans: nothing is lost, nothing edited or cut short is read, and no secret is inside."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.address import Address
from reconciler.model.changes import Action, FieldChange, Kind, Precondition, Progress, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.errors import UsageError
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.money import Estimate
from reconciler.model.plan import Drift, NoChange, Plan, Unmet
from reconciler.model.request import Lifecycle, Request, SecretRef
from reconciler.model.run import Spec
from reconciler.planning.planfile import read_plan, write_plan
from tests.planning import plans
from tests.planning.plans import action, request

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT, st.lists(TEXT, max_size=2), st.floats(-1e9, 1e9)
)
VALUES = st.one_of(TEXT, st.integers(0, 10**9), st.booleans(), st.lists(TEXT, max_size=3).map(tuple))
SOURCES = st.one_of(st.none(), st.builds(Source, TEXT, st.integers(1, 99), st.integers(1, 99)))
REQUESTS = st.builds(
    Request, st.lists(st.tuples(TEXT, VALUES), max_size=4, unique_by=lambda p: p[0]).map(tuple), st.integers(0, 9)
)
LIFECYCLES = st.builds(Lifecycle, st.booleans(), TEXT, TEXT, st.integers(1, 9), st.integers(0, 9))
PROGRESS = st.builds(Progress, TEXT, TEXT, st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))
CHANGES = st.lists(st.builds(FieldChange, TEXT, JSON_VALUES, JSON_VALUES, TEXT), max_size=3).map(tuple)
ADDRESSES = TEXT.map(Address)
ACTIONS = st.builds(
    Action,
    kind=st.sampled_from(Kind),
    address=ADDRESSES,
    reason=TEXT,
    precondition=st.builds(Precondition, st.none() | TEXT, st.sampled_from(StatusClass)),
    source=SOURCES,
    before=st.none() | REQUESTS,
    after=st.none() | REQUESTS,
    changes=CHANGES,
    lifecycle=st.none() | LIFECYCLES,
    lifecycle_before=st.none() | LIFECYCLES,
    inferred=st.lists(TEXT, max_size=2).map(tuple),
    kept_version=st.none() | st.integers(1, 9),
    secrets=st.lists(st.tuples(TEXT, st.builds(SecretRef, TEXT, TEXT)), max_size=2).map(tuple),
    spec_content=TEXT,
    subject=st.none() | PROGRESS,
    reused_run=st.none() | TEXT,
    deposed=st.booleans(),
    moved_from=st.none() | ADDRESSES,
    depends_on=st.lists(ADDRESSES, max_size=2).map(tuple),
    wave=st.integers(1, 9),
    estimate=st.none() | st.builds(Estimate, st.floats(0, 1e9), st.integers(0, 9), TEXT),
)
LIMITS = st.builds(
    LimitResult,
    st.builds(
        Limit,
        st.sampled_from(("max_new_runs", "max_cost_usd", "deny_models")),
        st.integers(0, 10**9) | st.floats(0, 1e9) | st.lists(TEXT, max_size=2).map(tuple),
        st.sampled_from(Level),
        SOURCES,
    ),
    st.booleans(),
    TEXT,
)
DIAGNOSTICS = st.builds(Diagnostic, st.sampled_from(Severity), TEXT, TEXT, TEXT, st.none() | TEXT, SOURCES)
SPECS = st.builds(
    Spec, TEXT, TEXT, TEXT, st.booleans(), st.none() | TEXT, st.none() | TEXT, st.none() | st.integers(0, 9)
)


def few(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


PLANS = st.builds(
    Plan,
    plan_id=TEXT,
    tool_version=TEXT,
    timestamp=TEXT,
    base_url=TEXT,
    lineage=TEXT,
    serial=st.integers(0, 10**9),
    refreshed=st.booleans(),
    actions=few(ACTIONS),
    unchanged=few(st.builds(NoChange, ADDRESSES, SOURCES, st.none() | PROGRESS, REQUESTS)),
    unmet=few(st.builds(Unmet, ADDRESSES, TEXT, TEXT, SOURCES, st.none() | TEXT)),
    drift=few(st.builds(Drift, ADDRESSES, TEXT, CHANGES)),
    diagnostics=few(DIAGNOSTICS),
    heading=few(TEXT),
    specs=few(SPECS),
    limits=st.lists(LIMITS, max_size=3, unique_by=lambda item: item.limit.name).map(tuple),
    mode=st.sampled_from(("normal", "destroy", "refresh-only")),
    environment=TEXT,
)


@settings(max_examples=30, deadline=None)
@given(PLANS)
def test_nothing_is_lost(made: Plan) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.plan"
        write_plan(path, made)
        found = read_plan(path)
        assert found == made
        assert found.digest == made.digest


def test_nothing_is_lost_of_a_list_that_is_not_declared_any_more(tmp_path: Path) -> None:
    """The planner builds this change: the removed field's value as a request holds it."""
    from tests.decisions.harness import make_plan

    made = make_plan(Path(__file__).parents[1] / "decisions" / "cases" / "row07-failed-and-declared-less")
    write_plan(tmp_path / "a.plan", made)
    assert read_plan(tmp_path / "a.plan") == made


SAVED = plans.plan(
    action(Kind.REPLACE, "a", "r1", secrets=(("databricks_client_secret", SecretRef("env", "MY_SECRET")),)),
    action(Kind.CREATE, "b", after=request(20)),
    diagnostics=(Diagnostic(Severity.WARNING, "told"),),
)


def edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_text("utf-8"))
    change(document["plan"], document)
    path.write_text(json.dumps(document), "utf-8")


def set_samples(plan: Any, document: Any) -> None:
    plan["actions"][1]["after"]["fields"][1][1] = 2


def drop_action(plan: Any, document: Any) -> None:
    del plan["actions"][0]


def add_action(plan: Any, document: Any) -> None:
    plan["actions"].append({**plan["actions"][1], "address": "run.c"})


def swap_run(plan: Any, document: Any) -> None:
    plan["actions"][0]["subject"]["run_id"] = "r2"


def set_precondition(plan: Any, document: Any) -> None:
    plan["actions"][0]["precondition"]["status"] = "failed"


def set_digest(plan: Any, document: Any) -> None:
    document["digest"] = "sha256:0"


def set_format(plan: Any, document: Any) -> None:
    document["format"] = "reconciler-plan/2"


def send_another_secret(plan: Any, document: Any) -> None:
    plan["actions"][0]["secrets"][0][1]["name"] = "AWS_SECRET_ACCESS_KEY"


def skip_preconditions(plan: Any, document: Any) -> None:
    plan["actions"][0]["deposed"] = True


def call_a_field_inferred(plan: Any, document: Any) -> None:
    plan["actions"][1]["inferred"] = ["number_of_samples"]


def say_what_nobody_reads(plan: Any, document: Any) -> None:
    plan["actions"][0]["note"] = "approved"


def point_elsewhere(plan: Any, document: Any) -> None:
    plan["lineage"] = ""


@pytest.mark.parametrize(
    "change",
    [
        set_samples,
        drop_action,
        add_action,
        swap_run,
        set_precondition,
        set_digest,
        set_format,
        send_another_secret,
        skip_preconditions,
        call_a_field_inferred,
        point_elsewhere,
        say_what_nobody_reads,
    ],
)
def test_an_edited_file_is_refused(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "a.plan"
    write_plan(path, SAVED)
    edit(path, change)
    with pytest.raises(UsageError, match=r"a\.plan"):
        read_plan(path)


def test_spaces_between_values_are_for_people(tmp_path: Path) -> None:
    path = tmp_path / "a.plan"
    write_plan(path, SAVED)
    for indent in (None, 4):
        path.write_text(json.dumps(json.loads(path.read_bytes()), indent=indent, ensure_ascii=False), "utf-8")
        assert read_plan(path) == SAVED


@pytest.mark.parametrize(
    ("value", "words"),
    [("two", r"Expected `int`, got `str` - at `\$\.actions"), (2.0, "got `float`"), (True, "got `bool`")],
)
def test_nothing_is_converted(tmp_path: Path, value: object, words: str) -> None:
    path = tmp_path / "a.plan"
    write_plan(path, SAVED)
    edit(path, lambda plan, document: plan["actions"][1].update(wave=value))
    with pytest.raises(UsageError, match=f"no plan of this version.*{words}"):
        read_plan(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.plan"
    write_plan(path, SAVED)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UsageError, match="no plan of this version"):
        read_plan(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"\x00" * 10, b'{"format": 1}', b"[" * 9999]
)
def test_what_is_no_plan_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.plan"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no plan of this version"):
        read_plan(path)


def test_a_missing_file_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_plan(tmp_path / "none.plan")
    with pytest.raises(UsageError, match="can't be saved"):
        write_plan(tmp_path / "none" / "a.plan", SAVED)


def test_a_plan_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.plan"
    path.write_text("old")
    write_plan(path, SAVED)
    assert read_plan(path) == SAVED
    assert [item.name for item in tmp_path.iterdir()] == ["a.plan"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_secret_is_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "CANARY-d41d8cd9")
    write_plan(tmp_path / "a.plan", SAVED)
    text = (tmp_path / "a.plan").read_text("utf-8")
    assert "CANARY" not in text
    assert "MY_SECRET" in text
