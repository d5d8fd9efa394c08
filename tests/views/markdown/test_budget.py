"""A comment never has more bytes than it may, and what must be told is never what is left out."""

from __future__ import annotations

import re
import time

import pytest
from msgspec.structs import replace

from reconciler.model.changes import Action, Kind
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.marker import Marker
from reconciler.model.plan import Plan, Revision
from reconciler.views.markdown import size
from reconciler.views.plan_markdown import MINIMUM_BYTES, Comment, failed_markdown, plan_markdown
from tests.planning.plans import action, plan
from tests.views.markdown.plans import HEAD, LINEAGE, mixed, reviewed
from tests.views.markdown.rendered import render


def many(kind: Kind, count: int) -> list[Action]:
    return [action(kind, f"{kind}{number}", None if kind is Kind.CREATE else f"r{number}") for number in range(count)]


def truncated(made: Comment) -> bool:
    marker = Marker.read(made.text)
    assert marker is not None
    return marker.truncated


def test_two_thousand_purchases_are_summed_up() -> None:
    made = plan_markdown(plan(*many(Kind.CREATE, 2_000)))
    assert made.complete
    assert truncated(made)
    assert 64_000 < size(made.text) <= 65_000
    shown = made.text.count("\n| create | `run.")
    hidden = re.search(r"\*\*([\d,]+) more changes not shown\*\*: ([\d,]+) to create\.", made.text)
    assert hidden is not None
    assert hidden[1] == hidden[2] == f"{2_000 - shown:,}"
    assert 0 < shown < 2_000
    assert "Fields of **2,000 runs not shown.**" in made.text


def test_purchases_go_before_retries_and_those_before_what_costs_nothing() -> None:
    some = [*many(Kind.CREATE, 30), *many(Kind.RETRY, 30), *many(Kind.FORGET, 30)]
    shown = dict.fromkeys((Kind.CREATE, Kind.RETRY, Kind.FORGET), 30)
    for max_bytes in range(9_000, MINIMUM_BYTES, -250):
        text = plan_markdown(plan(*some), max_bytes).text
        now = {kind: text.count(f"| {kind} | `run.") for kind in shown}
        assert all(now[kind] <= shown[kind] for kind in shown)
        assert now[Kind.CREATE] == 0 or now[Kind.RETRY] == 30
        assert now[Kind.RETRY] == 0 or now[Kind.FORGET] == 30
        shown = now
    assert shown[Kind.RETRY] == 0


def test_rows_that_are_left_stay_in_the_order_of_the_plan() -> None:
    some = [*many(Kind.CREATE, 60), *many(Kind.FORGET, 3)]
    text = plan_markdown(plan(*some), 3_000).text
    assert re.findall(r"\| (create|forget) \| `run", text)[-3:] == ["forget"] * 3
    assert 0 < text.count("| create | `run.") < 60


def test_what_is_destructive_is_never_left_out() -> None:
    made = plan_markdown(plan(*many(Kind.CANCEL, 2_000)))
    assert not made.complete
    assert truncated(made)
    assert "\n## Plan: 2,000 to cancel\n" in made.text
    assert "**2,000 destructive changes, not shown here:**" in made.text
    assert "| cancel | 2,000 | – | – |" in made.text
    assert "--expect-digest" not in made.text
    some = plan_markdown(plan(*many(Kind.CANCEL, 300)))
    assert some.complete
    assert not truncated(some)
    assert some.text.count("> - **cancel**") == 300


def test_bytes_are_counted_and_not_characters() -> None:
    made = plan(*(replace(each, reason="まだ購入されていません") for each in many(Kind.CREATE, 200)))
    for max_bytes in range(2_000, 12_000, 500):
        comment = plan_markdown(made, max_bytes)
        assert max_bytes - 400 < size(comment.text) <= max_bytes
        assert len(comment.text) < size(comment.text)


def kept(made: Plan) -> list[str]:
    """What a comment always has, and what it has only where it is complete."""
    text = plan_markdown(made, 10**6).text
    lines = text.splitlines()
    caution = text[text.index("> [!CAUTION]") : text.index("### Other changes")]
    return [lines[1], *caution.splitlines(), *text[text.index("### How to apply") :].splitlines()]


@pytest.mark.parametrize("made", [reviewed(), mixed()], ids=["reviewed", "mixed"])
def test_every_budget_holds(made: Plan) -> None:
    must, whole = kept(made), size(plan_markdown(made, 10**6).text)
    completed, sizes = [], []
    for max_bytes in [*range(MINIMUM_BYTES, whole + 100, 37), whole - 1, whole]:
        comment = plan_markdown(made, max_bytes)
        assert size(comment.text) <= max_bytes
        assert truncated(comment) is (max_bytes < whole), max_bytes
        lines = set(comment.text.splitlines())
        assert must[0] in lines
        if comment.complete:
            assert [line for line in must if line not in lines] == []
        else:
            assert re.search(r"\*\*\d destructive changes, not shown here:\*\*", comment.text)
            assert "| cancel |" in comment.text
        completed.append(comment.complete)
        sizes.append(size(comment.text))
        render(comment.text)  # every element is closed
    assert completed[:-2] == sorted(completed[:-2])
    assert completed[0] is False
    assert completed[-1] is True


NAMES = {"letters": "n" * 64, "hyphens": "-".join(["n" * 31] * 2), "digits": "production_2026_" * 4}


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_the_least_budget_holds_the_verdict_and_the_totals_with_long_names(name: str) -> None:
    limits = ("max_new_runs", "max_new_samples", "max_cost_usd", "max_cancel", "allowed_models", "deny_models")
    results = tuple(LimitResult(Limit(limit, 1, Level.SOFT), False, "x" * 200) for limit in limits)
    some = [made for kind in Kind for made in many(kind, 100)]
    made = plan(*some, limits=results, environment=name, lineage=LINEAGE, serial=12_345,
                revision=Revision(HEAD, True, HEAD, name))  # fmt: skip
    comment = plan_markdown(made, MINIMUM_BYTES)
    assert not comment.complete
    assert size(comment.text) <= MINIMUM_BYTES
    assert "destructive changes, not shown here" in comment.text
    assert all(f"\n| {kind} | 100 |" in comment.text for kind in Kind)
    assert all(f"`{limit}` (soft)" in comment.text for limit in limits)
    assert comment.text.splitlines()[1].count(name) == 2
    assert Marker.read(comment.text) == Marker.of(made, truncated=True)


@pytest.mark.parametrize("name", ["-" * 64, "\u3042" * 64, "x" * 4_000, "\U0001f600" * 4_000])
def test_names_of_any_length_keep_the_budget(name: str) -> None:
    made = replace(mixed(), environment=name, revision=Revision(HEAD, folder=name))
    for max_bytes in (MINIMUM_BYTES, 3_000, 10_000, 65_000, 200_000):
        comment = plan_markdown(made, max_bytes)
        assert size(comment.text) <= max_bytes
        assert "## Blocked: " in comment.text
        failed = failed_markdown([], environment=name, revision=Revision(folder=name), max_bytes=max_bytes)
        assert size(failed.text) <= max_bytes
        assert "## Blocked: no plan could be made" in failed.text


def test_many_errors_are_counted() -> None:
    found = [Diagnostic(Severity.ERROR, "Wrong", source=Source("a.toml", line)) for line in range(1, 3_001)]
    made = failed_markdown(found, environment="dev", revision=Revision(), max_bytes=5_000)
    assert made.complete
    assert truncated(made)
    assert "\n## Blocked: 3,000 errors · `dev`\n" in made.text
    shown = made.text.count("| `a.toml:")
    assert f"**{3_000 - shown:,} more errors not shown.**" in made.text
    assert 10 < shown < 200


def test_a_long_text_that_is_cut_makes_the_comment_truncated() -> None:
    made = plan_markdown(plan(replace(action(), reason="word " * 500)))
    assert "…" in made.text
    assert truncated(made)


def test_it_takes_time_in_proportion_to_the_plan() -> None:
    def seconds(count: int) -> float:
        made = plan(*many(Kind.CREATE, count // 2), *many(Kind.CANCEL, count // 2))
        begun = time.process_time()
        plan_markdown(made, 10**8)
        return time.process_time() - begun

    assert seconds(10_000) < 20 * max(seconds(1_000), 0.01)
