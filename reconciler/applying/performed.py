"""What was done of a plan that is applied again."""

from __future__ import annotations

from msgspec import Struct

from reconciler.applying.rows import LIMITS
from reconciler.model.run import is_final
from state.records import Phase
from state.store import Store


class Performed(Struct, frozen=True):
    """By digest of action: the address of each that is known to belong to the plan, and which of them are done.
    ``working``: the addresses for which it bought runs that are not finished; ``limits``: the digest of those under
    which it was begun, empty where it was not reviewed.
    """

    known: dict[str, str]
    done: frozenset[str]
    working: frozenset[str]
    limits: str

    @property
    def spent(self) -> bool:
        """Whether it was begun and nothing of it is left, not even a run to follow."""
        return bool(self.known) and self.done.issuperset(self.known) and not self.working


def performed(store: Store, key: str) -> Performed:
    """What the state knows of a plan, by its key (``Plan.key``)."""
    records = store.plan_actions(key)
    begun = {item.action_digest: item for item in records if item.address}
    attempts = {item.attempt_id: item for item in store.attempts({record.address for record in begun.values()})}
    done = set[str]()
    for digest, record in begun.items():
        attempt = attempts.get(record.attempt_id or "")
        if record.done_at or (attempt and attempt.phase is Phase.ACCEPTED):
            done.add(digest)
    made = (attempts.get(record.attempt_id or "") for record in begun.values())
    working = (item.address for item in made if item and item.run_id and not is_final(item.status) and not item.gone_at)
    known = {digest: record.address for digest, record in begun.items()}
    limits = (item.action_digest.removeprefix(LIMITS) for item in records if item.action_digest.startswith(LIMITS))
    return Performed(known, frozenset(done), frozenset(working), next(limits, ""))
