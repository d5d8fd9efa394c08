"""A plan in the format that was asked for: for people, for programs, and for what shows it in a pull request."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from reconciler.cli.exits import DONE, ERROR
from reconciler.cli.output import to_json
from reconciler.cli.session import Session

if TYPE_CHECKING:
    from reconciler.model.diagnostics import Diagnostic
    from reconciler.model.plan import Plan

_SUMMARY = "GITHUB_STEP_SUMMARY"


def render(session: Session, plan: Plan, form: str, max_bytes: int) -> int:
    """Print a plan. Returns the exit code: ERROR where not even what must be told fits ``max_bytes``, or where it can't
    be written.
    """
    match form:
        case "json":
            from reconciler.views.plan_json import plan_json

            session.say(to_json(plan_json(plan)))
        case "markdown":
            from reconciler.views.plan_markdown import plan_markdown

            comment = plan_markdown(plan, max_bytes)
            session.say(comment.text)
            return DONE if comment.complete else _too_long(session, max_bytes)
        case "gitlab":
            from reconciler.views.plan_gitlab import gitlab_json

            session.say(to_json(gitlab_json(plan), None))
        case "github":
            from reconciler.views.plan_github import annotations
            from reconciler.views.plan_markdown import plan_markdown
            from reconciler.views.plan_text import summary

            _lines(session, [*annotations(plan), summary(plan)])
            if os.environ.get(_SUMMARY):
                comment = plan_markdown(plan, max_bytes)
                code = _append_summary(session, comment.text)
                return code if comment.complete else _too_long(session, max_bytes)
        case "junit":
            from reconciler.views.junit import junit_xml

            session.say(junit_xml(plan))
        case _:
            from reconciler.views.paint import Paint
            from reconciler.views.plan_text import plan_text

            paint, width = Paint(session.colour(sys.stdout)), session.width(sys.stdout)
            session.say(plan_text(plan, paint, width, quiet=session.quiet))
    return DONE


def failure(session: Session, form: str, max_bytes: int) -> Callable[[Sequence[Diagnostic], int], None] | None:
    """What prints, in the same format, that no plan could be made; None where standard error has said it all."""

    def told(found: Sequence[Diagnostic], code: int) -> None:
        match form:
            case "json":
                from reconciler.views.plan_json import failed_plan_json

                session.say(to_json(failed_plan_json(found)))
            case "markdown":
                session.say(comment(found))
            case "github":
                from reconciler.git import folder_in_repository
                from reconciler.views.plan_github import failed_annotations

                _lines(session, failed_annotations(found, folder_in_repository(session.root)))
                if os.environ.get(_SUMMARY):
                    _append_summary(session, comment(found))
            case "junit":
                from reconciler.views.junit import failed_junit

                session.say(failed_junit(found))

    def comment(found: Sequence[Diagnostic]) -> str:
        from reconciler.revisions import revision_of
        from reconciler.views.plan_markdown import failed_markdown

        where, revision = session.environment or "", revision_of(session.root)
        return failed_markdown(found, environment=where, revision=revision, max_bytes=max_bytes).text

    return None if form in ("text", "gitlab") else told


def _lines(session: Session, lines: Iterable[str]) -> None:
    for line in lines:
        session.say(line)


def _append_summary(session: Session, text: str) -> int:
    """The page of the step, which other steps may have begun."""
    try:
        with open(os.environ[_SUMMARY], "a", encoding="utf-8") as file:
            file.write(f"{text.rstrip()}\n\n")
    except OSError as problem:
        session.warn([f"The step summary ({_SUMMARY}) can't be written: {problem.strerror}."])
        return ERROR
    return DONE


def _too_long(session: Session, max_bytes: int) -> int:
    shown = "only the verdict, the totals and the number of destructive changes are shown"
    ways = "Raise --max-bytes, or split the change."
    session.warn([f"What a reviewer must see does not fit {max_bytes:,} bytes: {shown}. {ways}"])
    return ERROR
