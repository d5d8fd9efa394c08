"""The digest of a plan: of everything that decides what is done, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import Action, FieldChange, Kind, Precondition, Progress, StatusClass, owed_cancel
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.plan import Drift, Revision, Unmet
from reconciler.model.request import Lifecycle, Request, SecretRef
from tests.planning.plans import action, plan, request, unchanged

SECRET = ("databricks_client_id", SecretRef("env", "ID"))
BASE = action(
    Kind.REPLACE, run_id="r1", after=request(10, revision_types=["consistency", "conformance"]), secrets=(SECRET,)
)

IMMATERIAL: list[dict[str, Any]] = [
    {"reason": "another"},
    {"source": Source("elsewhere.toml", 99)},
    {"source": None},
    {"subject": Progress("r1", "PROCESSING", 9, 10)},
    {"subject": Progress("r1", "PENDING", None, None)},
    {"before": request(6)},
    {"changes": (FieldChange("number_of_samples", 5, 10),)},
    {"after": request(10, revision_types=["conformance", "consistency"])},
    {"lifecycle_before": Lifecycle(protect=True)},
    {"foreign": True},
    {"wave": 2, "depends_on": (Address("run.z"),)},
]
MATERIAL: list[dict[str, Any]] = [
    {"kind": Kind.RETRY},
    {"address": "run.b"},
    {"after": request(11, revision_types=["consistency", "conformance"])},
    {"after": request(10, revision_types=["consistency"])},
    {"after": request(10, revision_types=["consistency", "conformance"], skip_outline=True)},
    {"after": request(10, rerun=1, revision_types=["consistency", "conformance"])},
    {"after": None},
    *({"lifecycle": Lifecycle(**changed)} for changed in (
        {"protect": True}, {"on_remove": "keep"}, {"on_change": "keep"}, {"max_attempts": 2}, {"min_samples": 1},
    )),
    {"precondition": Precondition("r2", StatusClass.WORKING)},
    {"precondition": Precondition("r1", StatusClass.FAILED)},
    {"precondition": Precondition()},
    {"spec_content": "abc"},
    {"reused_run": "r0"},
    {"secrets": ()},
    {"secrets": ((SECRET[0], SecretRef("env", "RENAMED")),)},
    {"secrets": ((SECRET[0], SecretRef("file", "ID")),)},
    {"moved_from": Address("run.z")},
    {"subject": Progress("r2", "PROCESSING", 4, 10)},
]  # fmt: skip


@pytest.mark.parametrize("change", IMMATERIAL, ids=repr)
def test_what_is_only_told_leaves_the_digest_alone(change: dict[str, Any]) -> None:
    assert replace(BASE, **change).digest == BASE.digest
    assert plan(replace(BASE, **change)).digest == plan(BASE).digest


@pytest.mark.parametrize("change", MATERIAL, ids=repr)
def test_what_decides_changes_the_digest(change: dict[str, Any]) -> None:
    assert replace(BASE, **change).digest != BASE.digest
    assert plan(replace(BASE, **change)).digest != plan(BASE).digest


@pytest.mark.parametrize(
    "field",
    ["generation_model", "outline_model", "seed_shuffling_level", "tools", "spec_version", "unified_multifield"],
)
def test_every_field_counts_also_by_its_presence(field: str) -> None:
    values: dict[str, Any] = {"tools": ["calculator"], "spec_version": 3, "unified_multifield": False}
    with_it = request(10, **{field: values.get(field, "x")})
    assert action(after=with_it).digest != action(after=request(10)).digest


def test_false_zero_and_text_are_different_values() -> None:
    found = {action(after=request(10, field=value)).digest for value in (False, 0, "false", "0")}
    assert len(found) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"plan_id": "other"},
        {"timestamp": "2030-01-01T00:00:00.000Z"},
        {"serial": 99},
        {"tool_version": "9.9"},
        {"heading": ("Offline",)},
        {"unchanged": (unchanged("b", Progress("r9", "PROCESSING", 99, 100)),)},
        {"unmet": (Unmet(action().address, "failed", "why"),)},
        {"drift": (Drift(action().address, "r1", ()),)},
        {"revision": Revision("abc", True, "def", "evals")},
        {"environment": "production"},
        {"actions": (BASE, owed_cancel("run.c", "r7", "replaced by run r8"))},
        {"diagnostics": (Diagnostic(Severity.WARNING, "told"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_rest_of_a_plan_is_not_in_its_digest(change: dict[str, Any]) -> None:
    assert replace(plan(BASE), **change).digest == plan(BASE).digest


def test_order_does_not_count_and_repetition_does() -> None:
    one, other = action(name="a"), action(name="b")
    assert plan(one, other).digest == plan(other, one).digest
    assert len({plan(*some).digest for some in ((), (one,), (one, one), (one, other))}) == 4


def test_all_kinds_have_different_digests() -> None:
    found: list[Action] = [replace(BASE, kind=kind) for kind in Kind]
    assert len({item.digest for item in found}) == len(Kind)


TEXTS = st.text(max_size=6) | st.sampled_from(["\x7f", "\u2028", "\U0001f600", "é", '"\\/', "\x00\x1f", "\ufeff"])
NUMBERS = st.integers() | st.floats(allow_nan=False) | st.sampled_from([1e16, 1e-7, -0.0, 2**64, -(2**63) - 1, True])


@given(
    st.dictionaries(TEXTS, TEXTS | NUMBERS | st.none() | st.lists(TEXTS, max_size=3) | st.lists(NUMBERS, max_size=2)),
    st.integers(),
)
def test_a_request_hashes_to_what_it_always_did(values: dict[str, Any], rerun: int) -> None:
    """Digests are in states, plans and reviews: whatever writes the JSON, its bytes may not change."""
    fields = {name: sorted(value) if isinstance(value, list) else value for name, value in values.items()}
    text = json.dumps(
        {"fields": fields, "rerun": rerun}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    assert Request.of(values, rerun).digest == f"sha256:{hashlib.sha256(text).hexdigest()}"


def test_half_of_a_pair_has_no_digest() -> None:
    for value in ("\ud800", ["\udfff"]):
        with pytest.raises(UnicodeEncodeError):
            _ = Request.of({"outline_model": value}).digest
