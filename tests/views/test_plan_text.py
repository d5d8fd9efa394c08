"""The plan for people: the grammar of its totals, a line a run, and nothing that a terminal would obey."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import FieldChange, Kind, Progress, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.money import Estimate
from reconciler.model.plan import Drift, Plan, Unmet
from reconciler.model.request import Lifecycle, SecretRef
from reconciler.views.paint import Paint, printable, visible_length, wrapped
from reconciler.views.plan_text import as_saved, plan_text, summary
from reconciler.views.times import local
from tests.planning.plans import action, plan, request, unchanged

PLAIN = Paint()


def some(kind: Kind, count: int) -> list[Any]:
    return [action(kind, f"{kind}{number}", "r" if kind is not Kind.CREATE else None) for number in range(count)]


def unmet(count: int) -> tuple[Unmet, ...]:
    return tuple(Unmet(Address(f"run.u{number}"), "failed", "why") for number in range(count))


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (plan(), "No changes. 0 runs are as declared."),
        (plan(unchanged=(unchanged("a"),)), "No changes. 1 run is as declared."),
        (plan(unchanged=(unchanged("a"),) * 44), "No changes. 44 runs are as declared."),
        (plan(unchanged=(unchanged("a"),) * 43, unmet=unmet(1)), "No changes. 43 runs are as declared, 1 is unmet."),
        (plan(unchanged=(unchanged("a"),), unmet=unmet(2)), "No changes. 1 run is as declared, 2 are unmet."),
        (plan(unmet=unmet(1200)), "No changes. 0 runs are as declared, 1,200 are unmet."),
        (plan(unchanged=(unchanged("a"),) * 1200), "No changes. 1,200 runs are as declared."),
        (
            plan(
                *some(Kind.CREATE, 3), *some(Kind.REPLACE, 1), *some(Kind.RETRY, 1), *some(Kind.CANCEL, 1),
                unchanged=(unchanged("a"),) * 40,
            ),
            "Plan: 3 to create, 1 to replace, 1 to retry, 1 to cancel, 40 unchanged.",
        ),
        (plan(*some(Kind.CREATE, 1)), "Plan: 1 to create."),
        (plan(*some(Kind.CREATE, 1200)), "Plan: 1,200 to create."),
        (plan(*some(Kind.FORGET, 1), *some(Kind.DELETE, 2)), "Plan: 1 to forget, 2 to delete."),
        (plan(*some(Kind.REUSE, 1), *some(Kind.UPDATE, 1)), "Plan: 1 to reuse, 1 to update."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_summary_line(made: Plan, line: str) -> None:
    assert summary(made) == line
    assert line in plan_text(made, PLAIN).splitlines()


@pytest.mark.parametrize(
    ("samples", "line"),
    [(1, "1 sample to buy, estimated cost: unknown."), (12_000, "12,000 samples to buy, estimated cost: unknown.")],
)
def test_samples_to_buy(samples: int, line: str) -> None:
    assert plan_text(plan(action(after=request(samples))), PLAIN).splitlines()[-1] == line


def test_nothing_to_buy_names_no_samples_and_no_cost() -> None:
    text = plan_text(plan(*some(Kind.FORGET, 1), *some(Kind.REUSE, 1)), PLAIN)
    assert "to buy" not in text
    assert "cost" not in text


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        (Kind.CREATE, "  + create"),
        (Kind.RETRY, "  + retry"),
        (Kind.REPLACE, "-/+ replace"),
        (Kind.CANCEL, "  - cancel"),
        (Kind.FORGET, "  - forget"),
        (Kind.DELETE, "  - delete"),
        (Kind.UPDATE, "  ~ update"),
        (Kind.REUSE, "  ~ reuse"),
    ],
)
def test_a_line_a_run_with_its_sign_its_reason_and_its_place(kind: Kind, sign: str) -> None:
    made = action(kind, "a", "r1")
    first = plan_text(plan(made), PLAIN).splitlines()[0]
    assert first.startswith(f"{sign} run.a  because")
    assert first.endswith("(runs/evals.toml:7)") is (made.source is not None)


def test_changed_fields_stand_under_their_run() -> None:
    changes = (
        FieldChange("number_of_samples", 5, 10),
        FieldChange("tools", None, ["calculator"], "unknown"),
        FieldChange("skip_outline", False, True, "reported"),
        FieldChange("revision_types", ["consistency"], None),
    )
    lines = plan_text(plan(action(Kind.REPLACE, run_id="r1", changes=changes)), PLAIN).splitlines()
    assert lines[1:5] == [
        "      number_of_samples: 5 → 10",
        "      tools: unset (not known) → [calculator]",
        "      skip_outline: false (as reported) → true",
        "      revision_types: [consistency] → unset",
    ]


@pytest.mark.parametrize(
    ("kind", "standing", "words"),
    [
        (Kind.REPLACE, StatusClass.WORKING, "is cancelled once its successor is certain"),
        (Kind.REPLACE, StatusClass.SUCCEEDED, "stays on the service"),
        (Kind.REUSE, StatusClass.WORKING, "is cancelled once its successor is certain"),
        (Kind.CANCEL, StatusClass.WORKING, "is stopped; what it made stays"),
        (Kind.FORGET, StatusClass.SUCCEEDED, "stays on the service"),
        (Kind.DELETE, StatusClass.SUCCEEDED, "is deleted with its files"),
    ],
)
def test_the_fate_of_the_run_that_is_there(kind: Kind, standing: StatusClass, words: str) -> None:
    text = plan_text(plan(action(kind, run_id="r1", standing=standing)), PLAIN)
    assert re.search(rf"run r1 \([A-Z]+, 4 of 10 samples\) {words}", text)


def test_a_changed_lifecycle_is_shown_key_by_key() -> None:
    made = action(Kind.UPDATE, lifecycle=Lifecycle(protect=True, max_attempts=3), lifecycle_before=Lifecycle())
    assert plan_text(plan(made), PLAIN).splitlines()[1:3] == [
        "      lifecycle.protect: false → true",
        "      lifecycle.max_attempts: 1 → 3",
    ]


def test_secrets_are_shown_as_references() -> None:
    made = action(secrets=(("databricks_client_id", SecretRef("file", "keys/id")),))
    assert "      databricks_client_id: (secret, from file keys/id)" in plan_text(plan(made), PLAIN)


def test_runs_at_work_are_shown_and_finished_ones_are_only_counted() -> None:
    items = (
        unchanged("a", Progress("r1", "PROCESSING", 1234, 5000)),
        unchanged("b", Progress("r2", "SUCCEEDED", 10, 10)),
        unchanged("c", Progress("r3", "PENDING")),
    )
    text = plan_text(plan(unchanged=items), PLAIN)
    assert "    working run.a  run r1: PROCESSING, 1,234 of 5,000 samples" in text
    assert "r2" not in text
    assert "run r3: PENDING" in text


def test_no_colour_without_a_terminal_and_the_same_words_with_it() -> None:
    made = plan(action(Kind.REPLACE, run_id="r1"), unmet=unmet(1))
    coloured = printable(plan_text(made, Paint(True)))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plan_text(made, PLAIN)


def test_it_ends_with_one_new_line() -> None:
    text = plan_text(plan(action()), PLAIN)
    assert text.endswith(".\n")
    assert not text.endswith("\n\n")


EVILS = ["\x1b[2J", "\x07", "\r", "\x9b31m", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\nPlan: 0 to create."]


def everywhere(evil: str) -> dict[str, Plan]:
    """Plans with a foreign text in each place that may hold one."""
    change = FieldChange("number_of_samples", f"a{evil}", f"b{evil}")
    named = Address(f'run.a["{evil}"]')
    base = action(Kind.REPLACE, run_id="r1")
    return {
        "heading": plan(heading=(evil,)),
        "diagnostic": plan(
            diagnostics=(Diagnostic(Severity.ERROR, evil, evil, evil, f"run.{evil}", Source(f"{evil}.toml")),)
        ),
        "address": plan(replace(base, address=named)),
        "reason": plan(replace(base, reason=evil)),
        "file": plan(replace(base, source=Source(f"{evil}.toml"))),
        "field value": plan(action(after=request(1, generation_model=evil))),
        "list value": plan(action(after=request(1, tools=[evil]))),
        "secret": plan(action(secrets=(("databricks_client_id", SecretRef("env", evil)),))),
        "changed value": plan(replace(base, changes=(change,))),
        "changed field": plan(replace(base, changes=(FieldChange(evil, 1, 2),))),
        "run id": plan(replace(base, subject=Progress(evil, "PROCESSING", 1, 2))),
        "run status": plan(replace(base, subject=Progress("r", evil, 1, 2))),
        "deposed run": plan(action(Kind.CANCEL, run_id=evil, deposed=True)),
        "working run": plan(unchanged=(unchanged("a", Progress(evil, evil, 1, 2)),)),
        "working address": plan(unchanged=(replace(unchanged("a", Progress("r", "PENDING")), address=named),)),
        "unmet reason": plan(unmet=(Unmet(Address("run.a"), "failed", evil),)),
        "unmet address": plan(unmet=(Unmet(named, "failed", "why"),)),
        "drift": plan(drift=(Drift(Address("run.a"), evil, (change,)),)),
        "drift address": plan(drift=(Drift(named, "r", ()),)),
        "drift field": plan(drift=(Drift(Address("run.a"), "r", (FieldChange(evil, 1, 2),)),)),
    }


@pytest.mark.parametrize("place", everywhere(""))
def test_no_foreign_text_reaches_the_terminal_as_it_is(place: str) -> None:
    obeyed = []
    for evil in EVILS:
        text = plan_text(everywhere(evil)[place], PLAIN)
        if evil in text or not all(character.isprintable() or character == "\n" for character in text):
            obeyed.append(evil)
    assert obeyed == []


def test_long_lists_of_runs_at_work_are_counted() -> None:
    items = tuple(unchanged(f"w{number}", Progress("r", "PROCESSING", 1, 10)) for number in range(25))
    lines = plan_text(plan(unchanged=items), PLAIN).splitlines()
    assert sum("working run.w" in line for line in lines) == 10
    assert "    … and 15 more at work" in lines
    assert "working" not in plan_text(plan(unchanged=items), PLAIN, quiet=True)


@pytest.mark.parametrize("width", [40, 80, 100])
def test_a_terminal_gets_lines_of_its_width(width: int) -> None:
    long = replace(action(Kind.CREATE, "a"), reason=" ".join(["because"] * 40), after=None)
    for paint in (PLAIN, Paint(True)):
        lines = plan_text(plan(long), paint, width).splitlines()
        assert max(map(visible_length, lines)) <= width
        assert "".join(lines).count("because") == 40
        assert all(line.startswith("          because") for line in lines[1:3])


def test_a_word_that_is_too_long_stays_whole() -> None:
    assert wrapped("  + create run.x  " + "x" * 50, 40) == ["  + create run.x", "          " + "x" * 50]


def test_limits_and_waves_are_told() -> None:
    waiting = action(name="b", depends_on=(Address("run.a"),), wave=2)
    soft = LimitResult(Limit("max_new_runs", 1, Level.SOFT), False, "2 new runs, 1 are allowed")
    text = plan_text(plan(action(), waiting, limits=(soft,)), PLAIN)
    assert "  Wave 2, each once what it depends on has SUCCEEDED:\n  + create run.b" in text
    assert "      waits for run.a\n" in text
    assert "Limit max_new_runs (soft) forbids it: 2 new runs, 1 are allowed; it needs --override" in text


def kept(name: str, value: int | float | tuple[str, ...]) -> LimitResult:
    return LimitResult(Limit(name, value), True, "words")


@pytest.mark.parametrize(
    ("limits", "line"),
    [
        ([kept("max_new_runs", 5000)], "Limits: 3 of 5,000 new runs: kept."),
        (
            [kept("max_new_samples", 100_000), kept("max_cancel", 5)],
            "Limits: 30 of 100,000 new samples, 2 of 5 to cancel or delete: kept.",
        ),
        ([kept("max_cost_usd", 250.0)], "Limits: ≈ $4.50 of $250.00: kept."),
        (
            [kept("allowed_models", ("a/*",)), kept("deny_models", ("b", "c"))],
            "Limits: 1 pattern of allowed models, 2 patterns of denied models: kept.",
        ),
        (
            [LimitResult(Limit("max_new_runs", 1, Level.ADVISORY), False, "told above"), kept("max_cancel", 5)],
            "Limits: 2 of 5 to cancel or delete: kept.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits_that_are_kept_are_told_in_one_line(limits: list[LimitResult], line: str) -> None:
    bought = [action(name=name, estimate=Estimate(1.5, 3, "the same model")) for name in "abc"]
    stopped = [
        action(Kind.CANCEL, "d", "r1"),
        action(Kind.DELETE, "e", "r2"),
        action(Kind.CANCEL, "f", "r3", deposed=True),
    ]
    made = plan(*bought, *stopped, limits=tuple(limits))
    assert plan_text(made, PLAIN).splitlines()[-1] == line
    assert "Limit" not in plan_text(made, PLAIN, quiet=True)


def test_limits_are_not_told_where_there_is_nothing_to_do() -> None:
    assert plan_text(plan(unchanged=(unchanged("a"),), limits=(kept("max_new_runs", 5),)), PLAIN).splitlines() == [
        "No changes. 1 run is as declared."
    ]


def test_nothing_bought_is_no_unknown_cost() -> None:
    made = plan(action(Kind.CANCEL, "a", "r1"), limits=(kept("max_cost_usd", 1.0),))
    assert "Limits: $0.00 of $1.00: kept.\n" in plan_text(made, PLAIN)


def test_the_reason_of_an_override_is_told() -> None:
    soft = LimitResult(Limit("max_new_runs", 1, Level.SOFT), False, "2 new runs, 1 are allowed", "agreed with Ada")
    text = plan_text(plan(action(), limits=(soft,)), PLAIN)
    assert text.splitlines()[-1] == (
        "Limit max_new_runs (soft) is exceeded: 2 new runs, 1 are allowed; overridden: agreed with Ada"
    )
    assert "forbids" not in text


def test_an_address_that_is_too_long_is_broken_after_commas() -> None:
    address = 'run.sweep["generation_model=anthropic/claude-haiku-4-5,number_of_samples=100"]'
    assert wrapped(f"  + create {address}  not bought yet", 80) == [
        '  + create run.sweep["generation_model=anthropic/claude-haiku-4-5,',
        '          number_of_samples=100"]  not bought yet',
    ]


def test_several_instances_that_are_waited_for_are_counted() -> None:
    names = [Address(name) for name in ('run.a["1"]', 'run.a["2"]', "run.b", "run.c", "run.d")]
    text = plan_text(plan(action(name="z", depends_on=tuple(names), wave=2)), PLAIN)
    assert "      waits for run.a (2 runs), run.b, run.c and 1 more\n" in text


def test_lines_to_be_copied_are_never_broken() -> None:
    block = ("[[moved]]", f"from = 'run.a[\"{'x=1,' * 30}y=2\"]'", "to = 'run.b'")
    found = Diagnostic(Severity.ERROR, "Bought already", "said " * 40, "done", "run.a", None, block)
    text = plan_text(plan(action(), diagnostics=(found,)), PLAIN, 80)
    assert "\n".join(f"    {line}" for line in block) in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("    from")) <= 80


def test_a_saved_plan_says_when_it_was_so() -> None:
    made = plan(action(), heading=("There is no state yet: applying creates it.",))
    first, second, *_ = plan_text(as_saved(made), PLAIN).splitlines()
    assert first == f"Planned at {local(made.timestamp)}, when:"
    assert second == made.heading[0]
    assert as_saved(plan(action())).heading == ()
    assert as_saved(made).digest == made.digest
