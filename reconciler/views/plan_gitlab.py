"""A plan as GitLab's merge request widget counts it (``artifacts:reports:terraform``)."""

from __future__ import annotations

from reconciler.model.changes import Kind
from reconciler.model.plan import Plan

_CREATES = frozenset({Kind.CREATE, Kind.RETRY, Kind.REPLACE})  # runs that are bought
_UPDATES = frozenset({Kind.UPDATE, Kind.MOVE, Kind.IMPORT, Kind.REUSE})  # of what is recorded


def gitlab_json(plan: Plan) -> dict[str, int]:
    """The widget's three counts, and no other key. A working run that another one displaces counts as deleted beside
    its successor. Two things count nowhere: a run that is forgotten, for nothing happens to it; and an owed cancel,
    which was decided by an earlier plan, as it is no part of the digest either.
    """
    actions = [action for action in plan.actions if not action.deposed]
    return {
        "create": sum(1 for action in actions if action.kind in _CREATES),
        "update": sum(1 for action in actions if action.kind in _UPDATES),
        "delete": sum(1 for action in actions if action.stops),
    }
