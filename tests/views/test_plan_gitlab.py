"""What GitLab's merge request widget is told: runs that are bought, stopped or deleted, and changed records."""

from __future__ import annotations

import pytest

from reconciler.model.changes import Action, Kind, StatusClass
from reconciler.views.plan_gitlab import gitlab_json
from tests.planning.plans import action, plan, unchanged

DONE = StatusClass.SUCCEEDED


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        (action(), (1, 0, 0)),
        (action(Kind.RETRY, run_id="r", standing=StatusClass.FAILED), (1, 0, 0)),
        (action(Kind.REPLACE, run_id="r"), (1, 0, 1)),
        (action(Kind.REPLACE, run_id="r", standing=DONE), (1, 0, 0)),
        (action(Kind.REPLACE, run_id="r", standing=StatusClass.GONE), (1, 0, 0)),
        (action(Kind.CANCEL, run_id="r"), (0, 0, 1)),
        (action(Kind.DELETE, run_id="r", standing=DONE), (0, 0, 1)),
        (action(Kind.CANCEL, run_id="r", deposed=True), (0, 0, 0)),
        (action(Kind.FORGET, run_id="r", standing=DONE), (0, 0, 0)),
        (action(Kind.UPDATE, run_id="r"), (0, 1, 0)),
        (action(Kind.MOVE), (0, 1, 0)),
        (action(Kind.REUSE, run_id="r", reused_run="s"), (0, 1, 1)),
        (action(Kind.REUSE, run_id="r", reused_run="s", standing=DONE), (0, 1, 0)),
        (action(Kind.IMPORT, reused_run="s"), (0, 1, 0)),
        (action(Kind.IMPORT, run_id="r", reused_run="s"), (0, 1, 1)),
    ],
    ids=lambda value: f"{value.kind}-{value.precondition.status}" if isinstance(value, Action) else "",
)
def test_what_an_action_counts_as(made: Action, counts: tuple[int, int, int]) -> None:
    assert gitlab_json(plan(made)) == dict(zip(("create", "update", "delete"), counts, strict=True))


def test_actions_add_up_and_what_is_unchanged_counts_nowhere() -> None:
    made = plan(action(), action(Kind.REPLACE, "b", "r"), action(Kind.CANCEL, "c", "s"), unchanged=(unchanged("d"),))
    assert gitlab_json(made) == {"create": 2, "update": 0, "delete": 2}
    assert gitlab_json(plan()) == {"create": 0, "update": 0, "delete": 0}
