"""``approve``, ``suspend`` and ``resume``: what they record, what they say, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from reconciler import consenting
from reconciler.cli.main import cli
from reconciler.cli.session import Session
from reconciler.clock import now
from reconciler.project import Project
from reconciler.watching.assembly import over_http
from state.holder import describe
from state.store import Store
from state.writes import Put
from tests.surgery.conftest import Run
from tests.views.schemas import problems

DIGEST, OTHER = (f"sha256:{letter * 64}" for letter in "ab")
ME = describe("test")
WHO = f"{ME.user}@{ME.host}"


@contextmanager
def state(project: Project) -> Iterator[Store]:
    with closing(project.open_state()) as store:
        yield store


def malformed(project: Project, *words: str) -> str:
    """Why a command line is not even begun."""
    with pytest.raises(click.BadParameter) as caught:
        cli.main(["-C", str(project.root), *words], prog_name="reconciler", standalone_mode=False, obj=Session())
    return caught.value.message


def test_an_approval_says_who_and_is_recorded_with_who_and_when(run: Run, project: Project) -> None:
    before = now()
    done = run("approve", DIGEST, "--reason", " agreed ", "--for", "24h")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{DIGEST} is approved by {WHO} until 20")
    with state(project) as store:
        (made,) = store.approvals()
        assert store.meta().serial == 1  # no decision about a run
    assert (made.digest, made.user, made.host, made.reason, made.revoked_at) == (
        DIGEST, ME.user, ME.host, "agreed", None,
    )  # fmt: skip
    assert before <= made.at <= now() < (made.until or "")


def test_it_needs_no_lock(run: Run, project: Project) -> None:
    with state(project) as store, store.lock("apply"):
        assert run("approve", DIGEST).code == 0
        assert run("suspend", "--reason", "r").code == 0
        assert run("resume").code == 0


def test_an_approval_is_revoked_once_and_given_again(run: Run, project: Project) -> None:
    run("approve", DIGEST)
    assert run("approve", DIGEST, "--revoke").out == f"{DIGEST} is no longer approved.\n"
    again = run("approve", DIGEST, "--revoke")
    assert again.code == 1
    assert "approve --list" in again.err
    run("approve", DIGEST)
    with state(project) as store:
        (made,) = store.approvals()
        assert made.revoked_at is None


@pytest.mark.parametrize("digest", ["", "sha256:abc", DIGEST.upper(), f"{DIGEST}0"])
def test_what_is_no_digest_is_refused(project: Project, digest: str) -> None:
    assert "64 hexadecimal digits" in malformed(project, "approve", digest)


def test_everything_and_some_addresses_are_suspended_and_resumed(run: Run, project: Project) -> None:
    assert run("suspend", "--reason", "the bill").out == f"Everything is suspended by {WHO}.\n"
    assert run("suspend", "run.m[x]", "run.*", "--reason", "r").out == (
        f'run.m["x"] is suspended by {WHO}.\nrun.* is suspended by {WHO}.\n'
    )
    assert run("resume", "run.m[x]").out == 'run.m["x"] is resumed.\n'
    assert sorted(run("resume").out.splitlines()) == ["Everything is resumed.", "run.* is resumed."]
    assert run("resume").out == "Nothing was suspended.\n"
    with state(project) as store:
        assert {one.scope: one.ended_by for one in store.suspensions()} == dict.fromkeys(
            ("", 'run.m["x"]', "run.*"), WHO
        )


def test_what_is_not_suspended_is_told_what_is(run: Run) -> None:
    run("suspend", "run.working", "--reason", "r")
    done = run("resume", "run.workin")
    assert done.code == 1
    assert "Did you mean run.working?" in done.err
    assert "Suspended: run.working." in done.err


@pytest.mark.parametrize(("before", "after"), [((), ("--for", "1h")), (("--for", "9h"), ("--for", "1h"))])
def test_a_suspension_is_not_shortened_by_another(
    run: Run, project: Project, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    run("suspend", "--reason", "an incident", *before)
    with state(project) as store:
        (first,) = store.suspensions()
    for _ in range(3):  # as from a job that deploys
        assert "It was suspended for longer already" in run("suspend", "--reason", "a deployment", *after).out
    with state(project) as store:
        (made,) = store.suspensions()
    assert (made.until, made.reason) == (first.until, "a deployment; an incident")
    run("suspend", "--reason", "the bill")
    with state(project) as store:
        assert [(one.until, one.reason) for one in store.suspensions()] == [(None, "the bill")]


def test_words_of_a_terminal_in_another_encoding_are_no_reason_to_record_nothing(run: Run, project: Project) -> None:
    assert run("suspend", "--reason", "f\udcfcr alle").code == 0
    assert run("approve", DIGEST, "--reason", "f\udcfcr alle").code == 0
    with state(project) as store:
        assert [store.suspensions()[0].reason, store.approvals()[0].reason] == [r"f\udcfcr alle"] * 2
    assert run("suspend", "run.\udcfc", "--reason", "r").err.count("names nothing") == 1


def test_all_of_several_are_resumed_or_none(run: Run, project: Project) -> None:
    run("suspend", "run.working", "run.done", "--reason", "r")
    done = run("resume", "run.working", "run.don")
    assert done.code == 1
    assert "run.don is not suspended. Did you mean run.done?" in done.err
    assert "Nothing was resumed." in done.err
    with state(project) as store:
        assert [one.ended_at for one in store.suspensions()] == [None, None]
    assert run("resume", "run.working", "run.done").code == 0


def test_whoever_calls_over_http_is_named_as_such(run: Run, project: Project) -> None:
    ada, nobody = over_http(" ada "), over_http("")
    assert consenting.approve(project, DIGEST, "", None, ada).user == "ada"
    consenting.suspend(project, "", "the bill", None, nobody)
    (ended,) = consenting.resume(project, (), ada)
    assert (ended.user, ended.host, ended.ended_by) == ("somebody", "HTTP", "ada@HTTP")
    assert "approved" in run("approve", "--list").out
    assert "by ada@HTTP" in run("approve", "--list").out
    assert "ada@HTTP" in run("history").out


def test_a_pattern_that_names_nothing_is_recorded_and_warned_of(run: Run, project: Project) -> None:
    done = run("suspend", "run.later*", "run.done", "run.b", "--reason", "r")
    assert done.code == 0
    assert done.err == "warning: run.later* names nothing that is declared or recorded now.\n"
    with state(project) as store:
        assert {one.scope for one in store.suspensions()} == {"run.later*", "run.done", "run.b"}


@pytest.mark.parametrize(
    "words",
    [
        ("suspend",),
        ("suspend", "--reason", " "),
        ("approve",),
        ("approve", DIGEST, "--list"),
        ("approve", DIGEST, "--json"),
        ("suspend", "--reason", "r", "--list"),
        ("--env", "prod", "suspend", "--every-environment", "--reason", "r"),
    ],
)
def test_half_a_command_records_nothing(run: Run, project: Project, words: tuple[str, ...]) -> None:
    with state(project) as store:
        events = len(store.events())
    assert run(*words).code == 1
    with state(project) as store:
        assert (store.approvals(), store.suspensions(), len(store.events())) == ([], [], events)


@pytest.mark.parametrize("words", [("suspend", "", "--reason", "r"), ("resume", "run.a", "")])
def test_a_variable_that_is_not_set_does_not_mean_everything(project: Project, words: tuple[str, ...]) -> None:
    assert "it is empty" in malformed(project, *words)


def test_lists_show_what_counts_and_json_all(run: Run, project: Project) -> None:
    assert run("approve", "--list").out == "Nothing is approved.\n"
    run("approve", DIGEST, "--reason", "agreed\nall")
    run("approve", OTHER)
    run("approve", OTHER, "--revoke")
    run("suspend", "run.done", "--reason", "r", "--for", "8h")
    run("suspend", "--reason", "r")
    with state(project) as store:  # time goes by
        (everything,) = (one for one in store.suspensions() if not one.scope)
        store.commit([Put(replace(everything, until=everything.at))])
    shown = run("approve", "--list").out.splitlines()
    assert shown[0].startswith(f"{DIGEST}  approved 20")
    assert shown[0].endswith(f"by {WHO}: agreed\\nall")
    assert shown[1].startswith("Times are local")
    assert shown[2:] == ["1 more counts no longer: --json shows all."]
    shown = run("suspend", "--list").out.splitlines()
    assert shown[0].startswith("run.done  suspended 20")
    assert f"by {WHO}, until 20" in shown[0]
    assert len(shown) == 3
    for command, name, counts in (("approve", "approvals", {DIGEST: True, OTHER: False}),
                                  ("suspend", "suspensions", {"run.done": True, "": False})):  # fmt: skip
        document = json.loads(run(command, "--list", "--json").out)
        assert problems("consent", document, closed=True) == []
        assert {one.get("digest", one.get("scope")): one["counts"] for one in document[name]} == counts


def test_the_history_says_who_did_it(run: Run) -> None:
    run("approve", DIGEST, "--reason", "agreed")
    run("approve", DIGEST, "--revoke")
    run("suspend", "run.done", "--reason", "the bill")
    run("resume")
    told = run("history").out
    for words in (
        f"approved: {DIGEST} is approved: agreed", f"approval revoked: {DIGEST}", "run.done is suspended: the bill",
        "resumed: run.done is resumed", f"{WHO}, approve", f"{WHO}, suspend", f"{WHO}, resume",
    ):  # fmt: skip
        assert words in told
    entries = json.loads(run("history", "--json").out)["entries"]
    by = {one["type"]: one["by"]["command"] for one in entries if one["by"] and one["by"]["user"] == ME.user}
    assert by == {"approved": "approve", "approval_revoked": "approve", "suspended": "suspend", "resumed": "resume"}


def test_without_a_state_there_is_nothing_to_record_in(run: Run, project: Project) -> None:
    for path in (project.root / ".reconciler").rglob("*.db*"):
        path.unlink()
    done = run("approve", DIGEST)
    assert done.code == 1
    assert "There is no state" in done.err
    assert "reconciler apply" in done.err
    assert run("suspend", "--list").out == "Nothing is suspended.\n"
    assert list(project.root.rglob("*.db*")) == []


@pytest.fixture
def environments(project: Project) -> Path:
    folder = project.root / "environments"
    folder.mkdir()
    for name in ("prod", "stage", "empty"):
        (folder / f"{name}.toml").write_text(f'[state]\nurl = "sqlite:///{name}.db"\n')
    for name in ("prod", "stage"):
        replace(project, state_url=f"sqlite:///{name}.db").open_state(create=True).close()
    return folder


def suspended_in(project: Project, name: str) -> list[str]:
    with state(replace(project, state_url=f"sqlite:///{name}.db")) as store:
        return [one.scope for one in store.suspensions() if one.ended_at is None]


def test_every_environment_that_has_a_state(run: Run, project: Project, environments: Path) -> None:
    done = run("suspend", "--every-environment", "--reason", "the bill")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "empty: there is no state yet; skipped.",
        f"prod: Everything is suspended by {WHO}.",
        f"stage: Everything is suspended by {WHO}.",
    ]
    assert [suspended_in(project, name) for name in ("prod", "stage")] == [[""], [""]]
    assert run("suspend", "--list").out == "Nothing is suspended.\n"  # this state is of no environment
    assert run("resume", "--every-environment").code == 0
    assert [suspended_in(project, name) for name in ("prod", "stage")] == [[], []]


def test_an_environment_that_fails_does_not_save_the_others(run: Run, project: Project, environments: Path) -> None:
    (environments / "empty.toml").write_text("[state\n")
    (project.root / "prod.db").write_bytes(b"x" * 4096)
    (project.root / "prod.db").chmod(0o600)
    done = run("suspend", "--every-environment", "--reason", "the bill")
    assert done.code == 1
    assert "was suspended in empty, prod" in done.err
    assert "environments/empty.toml" in done.err
    assert suspended_in(project, "stage") == [""]


def test_where_no_environment_has_a_state_or_is_declared(run: Run, project: Project, environments: Path) -> None:
    for name in ("prod", "stage"):
        (project.root / f"{name}.db").unlink()
    assert "No environment has a state yet" in run("suspend", "--every-environment", "--reason", "r").err
    for path in environments.iterdir():
        path.unlink()
    assert "There is no environment" in run("suspend", "--every-environment", "--reason", "r").err
