"""Stage 5: everything that is decided of declarations and records, in order. Pure.

The recorded side comes under its new names (``moves``), with what single GETs had to answer. Then: what is imported,
the decision table (``diff``), the part that was asked for, the guard against accidental renames, the order of buying.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.request import Instance, by_address
from reconciler.planning.diff import NOT_DECLARED, Decisions, Recorded, diff
from reconciler.planning.imports import Adoptions, import_actions, unchecked, with_adopted
from reconciler.planning.moves import Moves, with_moves
from reconciler.planning.order import order
from reconciler.planning.renames import refuse_renames
from reconciler.planning.selection import select


class Wishes(Struct, frozen=True):
    """What a person asks of a plan. ``replace`` holds addresses, ``target`` and ``exclude`` patterns of such."""

    replace: Collection[str] = ()
    target: Sequence[str] = ()
    exclude: Sequence[str] = ()
    allow_duplicates: bool = False
    why: str = NOT_DECLARED  # why undeclared ones end, for people


def decide(
    instances: Sequence[Instance], recorded: Recorded, moves: Moves, adoptions: Adoptions, wishes: Wishes
) -> tuple[Decisions, list[Diagnostic]]:
    """Decisions, and what forbids them. Errors: UsageError for a pattern that names nothing."""
    declared = by_address(instances)
    decisions = diff(instances, with_adopted(recorded, adoptions, declared), wishes.replace, wishes.why)
    if adoptions.checked:
        decisions = import_actions(decisions, adoptions, declared, recorded)
    else:
        decisions = unchecked(decisions, adoptions)
    whole = with_moves(decisions, moves.actions)
    decisions = select(whole, instances, recorded.instances, wishes.target, wishes.exclude)
    found = [*moves.diagnostics, *adoptions.diagnostics]
    if not wishes.allow_duplicates:
        # To forget the old address alone would be half of a rename: the next plan buys the other half.
        touched = None if decisions is whole else {action.address for action in decisions.actions}
        found += refuse_renames(whole.actions, declared, recorded, wishes.replace, touched)
    return order(decisions, instances), found
