"""Asking a person what became of unknown submissions, one after another. Every answer may be "leave it"."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.cli.session import Session

if TYPE_CHECKING:
    from reconciler.applying.resolve import Decision
    from reconciler.model.plan import Candidate, Outlook
    from reconciler.project import Project


def ask(session: Session, project: Project, unknown: Iterable[tuple[str, Outlook]]) -> bool:
    """Ask for each one that only a person can settle, and record the answers. Returns whether anything was decided.

    Errors: UsageError for a decision that what the service shows by now does not allow; StateError, ServiceError.
    """
    from reconciler.bookkeeping import resolve_unknown
    from reconciler.views.paint import one_line

    decided = False
    for address, outlook in unknown:
        if not outlook.decidable:
            continue
        decision = _decision(session, address, outlook)
        if decision is not None:
            for line in resolve_unknown(project, address, decision, 0.0, session.caution):
                session.say(one_line(line))
            decided = True
    return decided


def _decision(session: Session, address: str, outlook: Outlook) -> Decision | None:
    from reconciler.applying.resolve import Abandon, Adopt, Resubmit
    from reconciler.views.paint import one_line, wrapped
    from reconciler.views.times import local

    absent = outlook.standing == "absent"
    found = "No run of it can be found." if absent else "These runs may have come of it:"
    sent = f" Its submission was prepared at {local(outlook.submitted_at)}." if outlook.submitted_at else ""
    said = one_line(f"{address}: nobody knows whether it was bought.{sent} {found}")
    session.say("\n" + "\n".join(wrapped(said, session.width(sys.stdout) or len(said))))
    for number, candidate in enumerate(outlook.candidates, start=1):
        session.say(f"  {number}  adopt {one_line(_words(candidate))}")
    none = "none of these is it" if outlook.candidates else "it was not bought"
    session.say(f"  r  {none}: send it again, which buys one more run")
    session.say("  a  give it up: bought again only by lifecycle.rerun or --replace")
    session.say("  Enter leaves it as it is")
    while True:
        answer = _answer("Which? ")
        if not answer:
            return None
        if answer == "r":
            return Resubmit()
        if answer == "a":
            return Abandon()
        if answer.isdecimal() and 1 <= int(answer) <= len(outlook.candidates):
            return Adopt(outlook.candidates[int(answer) - 1].run_id)
        session.say("That is none of them.")


def _words(candidate: Candidate) -> str:
    from reconciler.views.times import local

    made = f", {candidate.samples_completed:,} samples" if candidate.samples_completed is not None else ""
    made_at = local(candidate.created_at) if candidate.created_at else "at an unknown time"
    who = f" by {candidate.created_by}" if candidate.created_by else ""
    return f"{candidate.run_id} ({candidate.status}{made}, made {made_at}{who})"


def _answer(question: str) -> str:
    try:
        return input(question).strip().lower()
    except EOFError:
        print()  # whatever comes next starts on a line of its own
        return ""
