"""Who changes the state: what stands beside everything that one command records."""

from __future__ import annotations

from msgspec import Struct

from reconciler.model.plan import Plan
from state.records import ApplyRecord


class Author(Struct, frozen=True):
    """Who changes the state, and from which commit."""

    command: str
    user: str
    host: str
    git_commit: str | None = None
    git_dirty: bool | None = None
    git_branch: str | None = None

    def record(self, apply_id: str, at: str, plan: Plan | None) -> ApplyRecord:
        """As a row. ``plan``: the one that the command performs."""
        return ApplyRecord(
            apply_id=apply_id,
            command=self.command,
            started_at=at,
            user=self.user,
            host=self.host,
            plan_id=plan.plan_id if plan else None,
            plan_digest=plan.known_as if plan else None,
            git_commit=self.git_commit,
            git_dirty=self.git_dirty,
            git_branch=self.git_branch,
        )
