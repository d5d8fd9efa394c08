"""Changes that come back: there, back, and there again are three changes, each reviewed and each done once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from msgspec.structs import replace

from reconciler.model.changes import Action


def numbered(actions: Iterable[Action], done: Callable[[Collection[str]], Collection[str]]) -> tuple[Action, ...]:
    """The actions, each with how often just this was done before. ``done``: which of these digests are those of an
    action that is done. Owed cancels are no changes.
    """
    found = list(actions)
    asking = [number for number, action in enumerate(found) if not action.deposed]
    while asking:
        before = done([found[number].digest for number in asking])
        asking = [number for number in asking if found[number].digest in before]
        for number in asking:
            found[number] = replace(found[number], repeats=found[number].repeats + 1)
    return tuple(found)
