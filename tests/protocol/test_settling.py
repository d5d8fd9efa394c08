"""Which run an unknown submission became: adopted only where that is certain."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.applying.claims import Pending, fits, is_candidate
from reconciler.applying.matching import certain_runs, groups_of, matching_size
from reconciler.applying.settling import Patience, Standing, Verdict, settle
from reconciler.model.run import Run, RunStatus

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
PATIENCE = Patience(settle=60.0, dead=900.0)
MODEL = "anthropic/claude-haiku-4-5"


def pending(name: str, *, run_id: str | None = None, baseline: Sequence[str] = (), **body: Any) -> Pending:
    return Pending(name, f"run.{name}", {"spec_id": SPEC, **body}, frozenset(baseline), 0.0, 0.0, run_id)


def run(run_id: str, **params: Any) -> Run:
    return Run(run_id, RunStatus.PENDING, "PENDING", spec_id=SPEC, spec_version=3, runtime_params=params)


def verdicts(pendings: Sequence[Pending], runs: Sequence[Run], now: float, complete: int = 2) -> dict[str, Verdict]:
    candidates = {p.attempt_id: [found for found in runs if is_candidate(p, found, None)] for p in pendings}
    return settle(pendings, candidates, now, [now] * complete, PATIENCE)


def standing(found: Mapping[str, Verdict]) -> dict[str, tuple[Standing, str | None]]:
    return {name: (verdict.standing, verdict.run.id if verdict.run else None) for name, verdict in found.items()}


A, B = {"number_of_samples": 10}, {"number_of_samples": 10, "generation_model": MODEL}


@pytest.mark.parametrize(
    ("now", "expected", "confirmed"),
    [(30.0, Standing.WAITING, False), (61.0, Standing.ADOPT, False), (901.0, Standing.ADOPT, True)],
)
def test_one_run_that_fits(now: float, expected: Standing, confirmed: bool) -> None:
    found = verdicts([pending("a", **A)], [run("r", **A)], now)["a"]
    assert (found.standing, found.confirmed) == (expected, confirmed)
    assert found.run is not None, "while it waits as well: nobody else may take that run for a lost one"


def test_confirmed_only_after_a_whole_list() -> None:
    found = verdicts([pending("a", **A)], [run("r", **A)], 901.0, complete=0)["a"]
    assert found.standing is Standing.ADOPT
    assert not found.confirmed


def test_overlapping_bodies_with_one_run_are_never_guessed() -> None:
    both = [pending("a", **A), pending("b", **B)]
    found = verdicts(both, [run("r", **B)], 901.0)
    assert standing(found) == {"a": (Standing.AMBIGUOUS, None), "b": (Standing.AMBIGUOUS, None)}
    assert [candidate.id for candidate in found["a"].candidates] == ["r"]


def test_overlapping_bodies_with_two_runs_can_be_told_apart() -> None:
    both = [pending("a", **A), pending("b", **B)]
    found = verdicts(both, [run("r1", **B), run("r2", **A, generation_model="other/model")], 901.0)
    assert standing(found) == {"a": (Standing.ADOPT, "r2"), "b": (Standing.ADOPT, "r1")}


def test_equal_submissions_share_equal_runs() -> None:
    three = [pending(name, **A) for name in "abc"]
    found = standing(verdicts(three, [run("r1", **A), run("r2", **A)], 901.0))
    assert sorted(str(run_id) for _, run_id in found.values()) == ["None", "r1", "r2"]
    assert sorted(item.name for item, _ in found.values()) == ["ABSENT", "ADOPT", "ADOPT"]


def test_a_twin_makes_it_ambiguous_also_after_a_provisional_adoption() -> None:
    runs = [run("r1", **A), run("r2", **A)]
    assert verdicts([pending("a", **A)], runs, 901.0)["a"].standing is Standing.AMBIGUOUS
    again = verdicts([pending("a", run_id="r1", **A)], runs, 100.0)["a"]
    assert again.standing is Standing.AMBIGUOUS
    assert {candidate.id for candidate in again.candidates} == {"r1", "r2"}


def test_more_runs_than_submissions_leave_nothing_certain() -> None:
    """The first submission fits one run only; but of those that hang together, one is nobody's of ours."""
    both = [pending("a", **B), pending("b", **A)]
    runs = [run("r1", **B), *(run(f"r{n}", **A, generation_model="other/model") for n in (2, 3))]
    found = verdicts(both, runs, 901.0)
    assert standing(found) == {"a": (Standing.AMBIGUOUS, None), "b": (Standing.AMBIGUOUS, None)}
    assert [candidate.id for candidate in found["a"].candidates] == ["r1", "r2", "r3"]
    early = verdicts(both, runs, 61.0)
    assert {verdict.until for verdict in early.values()} == {None}


def test_a_rewritten_model_is_near_and_never_absent() -> None:
    found = verdicts([pending("a", **B)], [run("r", number_of_samples=10, generation_model="successor")], 901.0)["a"]
    assert found.standing is Standing.AMBIGUOUS
    assert found.until is None
    other = verdicts([pending("a", **B)], [run("r", number_of_samples=11, generation_model=MODEL)], 901.0)["a"]
    assert other.standing is Standing.ABSENT


@pytest.mark.parametrize(("complete", "expected"), [(0, Standing.WAITING), (1, Standing.WAITING), (2, Standing.ABSENT)])
def test_absent_needs_two_whole_lists_after_the_dead_time(complete: int, expected: Standing) -> None:
    assert verdicts([pending("a", **A)], [], 901.0, complete)["a"].standing is expected
    assert verdicts([pending("a", **A)], [], 899.0, complete)["a"].standing is Standing.WAITING


@pytest.mark.parametrize(
    ("body", "reported", "expected"),
    [
        ({"tools": []}, {"tools": None}, True),
        ({"tools": []}, {}, True),
        ({"revision_types": ["a", "b"]}, {"revision_types": ["b", "a"]}, True),
        ({"revision_types": ["a"]}, {"revision_types": ["b"]}, False),
        ({"max_revision_cycles": 2}, {"max_revision_cycles": None}, True),
        ({"generation_model": MODEL}, {"generation_model": None}, False),
        ({"spec_version": 3}, {}, True),
        ({"spec_version": 4}, {}, False),
        ({"skip_outline": False}, {"skip_outline": True}, False),
    ],
)
def test_every_field_that_was_sent_must_be_reported_so(
    body: dict[str, Any], reported: dict[str, Any], expected: bool
) -> None:
    assert fits(pending("a", number_of_samples=5, **body), run("r", number_of_samples=5, **reported)) is expected


def test_what_can_not_be_a_candidate() -> None:
    one = pending("a", baseline=["old"], spec_version=3, **A)
    assert not is_candidate(one, run("old", **A), 10.0)
    assert not is_candidate(one, run("r", **A), -301.0)
    assert is_candidate(one, run("r", **A), -299.0)
    assert not is_candidate(one, Run("r", RunStatus.PENDING, "PENDING", spec_id="another"), 10.0)
    assert not is_candidate(one, Run("r", RunStatus.PENDING, "PENDING", spec_id=SPEC, spec_version=4), 10.0)


FITS = st.dictionaries(st.sampled_from("abcde"), st.lists(st.sampled_from("12345"), unique=True, max_size=4))
KINDS = st.fixed_dictionaries({name: st.sampled_from("xyz") for name in "abcde"})


def every_maximum_matching(fits_of: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """By trying all of them."""
    names = list(fits_of)
    choices = itertools.product(*([None, *fits_of[name]] for name in names))
    legal = [
        {name: str(choice) for name, choice in zip(names, found, strict=True) if choice is not None}
        for found in choices
        if len([c for c in found if c]) == len({c for c in found if c})
    ]
    most = max(map(len, legal))
    return [found for found in legal if len(found) == most]


@settings(max_examples=200, deadline=None)
@given(FITS, KINDS)
def test_certainty_agrees_with_trying_everything(fits_of: dict[str, list[str]], kinds: dict[str, str]) -> None:
    groups = groups_of(fits_of, kinds)
    matchings = every_maximum_matching(fits_of)
    assert matching_size(groups) == len(matchings[0])
    given_to = [{(kinds[name], found) for name, found in matching.items()} for matching in matchings]
    expected = set.intersection(*given_to)
    assert {(kind, found) for kind, runs in certain_runs(groups).items() for found in runs} == expected


def test_many_equal_submissions_are_settled_quickly() -> None:
    many = [pending(f"a{n}", **A) for n in range(400)]
    found = verdicts(many, [run(f"r{n}", **A) for n in range(400)], 901.0)
    assert {verdict.standing for verdict in found.values()} == {Standing.ADOPT}
    assert len({verdict.run.id for verdict in found.values() if verdict.run}) == 400


def test_a_run_goes_to_an_equal_submission_that_can_have_made_it() -> None:
    """The second one was sent when r1 was there already."""
    both = [pending("later", baseline=["r1"], **A), pending("sooner", **A)]
    found = standing(verdicts(both, [run("r1", **A), run("r2", **A)], 901.0))
    assert found == {"later": (Standing.ADOPT, "r2"), "sooner": (Standing.ADOPT, "r1")}
    alone = standing(verdicts(both, [run("r1", **A)], 901.0))
    assert alone == {"later": (Standing.ABSENT, None), "sooner": (Standing.ADOPT, "r1")}
