"""The comment that a reviewer meets, word for word, and as it is rendered."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import FieldChange, Kind, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.marker import Marker
from reconciler.model.money import Estimate
from reconciler.model.plan import Drift, Plan, Revision, Unmet
from reconciler.views.plan_markdown import failed_markdown, plan_markdown
from tests.planning.plans import action, plan, unchanged
from tests.views.markdown.plans import HEAD, mixed, reviewed
from tests.views.markdown.rendered import render

GOLDEN = Path(__file__).parent / "golden"
BROKEN = (
    Diagnostic(Severity.ERROR, "Not TOML", "expected a value", "Write one.", None, Source("runs/a.toml", 3, 9)),
    Diagnostic(
        Severity.ERROR, "Bought already", "run.b would do.", "Add the lines.", "run.a", Source("runs/b.toml", 7),
        ("[[moved]]", 'from = "run.b"', 'to = "run.a"'),
    ),
)  # fmt: skip


def failed(max_bytes: int = 65_000) -> str:
    revision = Revision(HEAD, True, None, "teams/evals")
    return failed_markdown(BROKEN, environment="staging", revision=revision, max_bytes=max_bytes).text


@pytest.mark.parametrize(
    ("name", "text"),
    [("reviewed", plan_markdown(reviewed()).text), ("mixed", plan_markdown(mixed()).text), ("failed", failed())],
    ids=["reviewed", "mixed", "failed"],
)
def test_the_comment_is_the_golden_one(name: str, text: str, regenerate: bool) -> None:
    golden = GOLDEN / f"{name}.md"
    if regenerate:
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_its_tables_and_folds_are_intact_when_rendered() -> None:
    page = render(plan_markdown(reviewed()).text)
    assert len(page.comments) == 1
    assert page.elements[:2] == ["h2", "/h2"]
    assert page.elements.count("table") == 4  # totals, limits, changes, warnings
    assert page.elements.count("details") == page.elements.count("/details") == 1
    assert page.elements.count("pre") == 5 + 1  # each purchase, and how to apply
    rows = page.rows()
    assert rows[0].startswith(
        "Blocked: max_cost_usd (soft) · production · Plan: 3 to create, 1 to replace, 1 to retry,"
    )
    assert any("run.bulk" in row and "62,000 of 200,000 samples" in row for row in rows)
    assert any("not caused by this branch" in row for row in rows)


def test_the_parts_come_in_the_order_in_which_they_matter() -> None:
    text = plan_markdown(mixed()).text
    said = ["<!--", "\n## ", "[!NOTE]", "[!CAUTION]", "| Action | Runs", "| Limit |"]
    said += ["### Other changes", "### Changed outside", "### Unmet", "### Warnings"]
    said += ["<details>", "### How to apply", "Planned at"]
    found = [text.index(part) for part in said]
    assert found == sorted(found)


def test_the_marker_is_read_back() -> None:
    made = reviewed()
    assert Marker.read(plan_markdown(made).text) == Marker.of(made, truncated=False)
    assert Marker.read(failed()) == Marker("staging", "teams/evals", "", "", 0, HEAD, False)


SOFT = LimitResult(Limit("max_cost_usd", 1.0, Level.SOFT), False, "too much")
HARD = LimitResult(Limit("max_new_runs", 1), False, "2 new runs, 1 are allowed")
ERROR = Diagnostic(Severity.ERROR, "Wrong")
DRIFT = Drift(Address("run.a"), "r1", (FieldChange("seed", 1, 2, "reported"),))


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (plan(), "No changes. 0 runs are as declared"),
        (plan(unchanged=(unchanged("a"),), environment="dev"), "`dev` · No changes. 1 run is as declared"),
        (plan(mode="refresh-only"), "No drift"),
        (plan(mode="refresh-only", drift=(DRIFT,)), "Drift: 1 run"),
        (plan(action()), "Plan: 1 to create · 10 samples · estimated cost unknown for 1 of 1"),
        (plan(action(estimate=Estimate(2.5, 3, "the same model"))),
         "Plan: 1 to create · 10 samples · estimated cost `≈ $2.50`"),
        (plan(action(Kind.FORGET, run_id="r", standing=StatusClass.SUCCEEDED)), "Plan: 1 to forget"),
        (plan(limits=(HARD, SOFT)),
         "Blocked: `max_new_runs` (hard), `max_cost_usd` (soft) · No changes. 0 runs are as declared"),
        (plan(diagnostics=(ERROR,)), "Blocked: 1 error · No changes. 0 runs are as declared"),
        (plan(limits=(replace(SOFT, override="agreed"),)), "No changes. 0 runs are as declared"),
        (plan(revision=Revision(folder="a/b"), environment="dev"), "`a/b` `dev` · No changes. 0 runs are as declared"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_verdict(made: Plan, verdict: str) -> None:
    assert plan_markdown(made).text.splitlines()[1] == f"## {verdict}"


COMMAND = "reconciler apply --expect-digest sha256:"


@pytest.mark.parametrize(
    ("made", "said", "offered"),
    [
        (plan(action()), COMMAND, True),
        (plan(action(), environment="dev"), "reconciler --env dev apply --expect-digest sha256:", True),
        (plan(action(), revision=Revision(folder="a b")), "reconciler -C 'a b' apply --expect-digest", True),
        (plan(action(), mode="destroy"), "reconciler destroy --expect-digest sha256:", True),
        (plan(action(), limits=(SOFT,)), ' \\\n  --override max_cost_usd --reason "…"\n```', True),
        (plan(action(), limits=(HARD, SOFT)), "a hard limit forbids it", False),
        (plan(action(), diagnostics=(ERROR,)), "It can't be applied while there are errors", False),
        (plan(), "Nothing is to be applied", False),
        (plan(mode="refresh-only", drift=(DRIFT,)), "`reconciler refresh` records", False),
        (plan(action(), refreshed=False, lineage=""), "Declarations only", False),
    ],
)
def test_how_to_apply(made: Plan, said: str, offered: bool) -> None:
    text = plan_markdown(made).text
    assert said in text
    assert ("--expect-digest" in text) is offered
    assert (f"--expect-digest {made.digest}" in text) is offered


@pytest.mark.parametrize(
    ("made", "row"),
    [
        (action(Kind.CANCEL, run_id="r"), "**cancel** `run.a`: because;\n>   run r (PROCESSING, 4 of 10 samples)"),
        (action(Kind.DELETE, run_id="r", standing=StatusClass.SUCCEEDED), "is deleted with its files"),
        (action(Kind.REPLACE, run_id="r"), "is cancelled once its successor is certain"),
        (action(Kind.REPLACE, run_id="r", standing=StatusClass.SUCCEEDED), "service; what it cost is spent"),
        (action(Kind.REUSE, run_id="r"), "**reuse** `run.a`"),
        (action(Kind.IMPORT, run_id="r"), "**import** `run.a`"),
        (action(Kind.CANCEL, run_id="r", deposed=True), "**decided before**"),
        (action(Kind.REUSE, run_id="r", standing=StatusClass.SUCCEEDED), None),
        (action(Kind.FORGET, run_id="r"), None),
        (action(Kind.REPLACE, standing=StatusClass.GONE), None),
        (action(Kind.CREATE), None),
        (action(Kind.RETRY, run_id="r", standing=StatusClass.FAILED), None),
    ],
)  # fmt: skip
def test_what_counts_as_destructive(made: object, row: str | None) -> None:
    text = plan_markdown(plan(made)).text  # type: ignore[arg-type]
    assert ("[!CAUTION]" in text) is (row is not None)
    assert (row or "### Changes") in text


def test_rows_that_the_branch_did_not_cause_are_told_only_where_it_is_known() -> None:
    made = plan(action(foreign=True), action(Kind.CANCEL, "b", "r", foreign=True))
    assert plan_markdown(made).text.count("*not caused by this branch*") == 0
    assert (
        plan_markdown(replace(made, revision=Revision(base=HEAD))).text.count("*not caused by this branch*: because")
        == 2
    )


def test_where_all_does_not_fit_what_the_branch_caused_is_shown() -> None:
    made = plan(*(action(name=f"other{number:03}", foreign=True) for number in range(200)), action(name="zz"))
    text = plan_markdown(replace(made, revision=Revision(base=HEAD)), max_bytes=6000).text
    assert "not shown**: " in text
    assert "| create | `run.zz` | because |" in text


def test_waves_are_told() -> None:
    made = plan(action(), action(name="b", depends_on=(Address("run.a"),), wave=2))
    assert "| create | `run.b` | because; wave 2, waits for `run.a` | `runs/evals.toml:7` |" in plan_markdown(made).text


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (plan(), "Changed outside Git: none."),
        (plan(refreshed=False), "Changed outside Git: not known, for the service was not asked."),
        (plan(unmet=(Unmet(Address("run.a"), "failed", "x"),)), "Changed outside Git: none."),
        (plan(unmet=(Unmet(Address("run.a"), "gone", "x"),)), "### Changed outside Git: 1 run\n"),
        (plan(unmet=(Unmet(Address("run.a"), "canceled", "x"),), drift=(DRIFT,)), "### Changed outside Git: 2 runs\n"),
    ],
)
def test_what_somebody_changed_past_git_is_told_and_so_is_nothing(made: Plan, said: str) -> None:
    assert said in plan_markdown(made).text


def test_secrets_are_references() -> None:
    assert "+ databricks_client_secret: (secret, from environment variable DATABRICKS_SECRET)\n" in (
        plan_markdown(mixed()).text
    )


def test_changes_that_are_not_committed_are_told() -> None:
    made = plan(revision=Revision(HEAD, dirty=True))
    assert "from commit `1b2c3d4e5f60` **and changes that are not committed**" in plan_markdown(made).text
