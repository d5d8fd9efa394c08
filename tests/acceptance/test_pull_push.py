"""A state goes to another place as a text: whole or not at all, never back in time; no run is lost or bought again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler import transfer
from reconciler.project import read_project
from reconciler.views.paint import one_line
from state.errors import StateError
from state.records import ROW_TYPES
from state.transfer import FORMAT_VERSION
from tests.acceptance.project import Done, Project, line_with, run, said, tree
from tests.acceptance.test_backups import HOLD, facts, kept, mark, serial_of
from tests.acceptance.test_backups import database as state_file
from tests.service import FakeService
from tests.state.samples import script

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def applied(project: Project) -> Project:
    """Two runs that were bought, one of them forgotten since."""
    project.declare(run("a"), run("b", 11))
    project.apply()
    project.declare(run("a"))
    project.apply()
    return project


@pytest.fixture
def other(applied: Project, service: FakeService) -> Iterator[Project]:
    """The same declarations on another machine, without a state."""
    folder = applied.folder / "other machine"
    folder.mkdir()
    made = Project(folder, service.url)
    made.declare(run("a"))
    yield made
    made.close()


def pulled(project: Project) -> str:
    return project.expect(0, "state", "pull").stdout


def push(project: Project, text: str, *args: str, code: int = 0) -> Done:
    """``state push`` from a pipe, with a check of its exit code."""
    return push_to(project, [], text, *args, code=code)


def push_to(project: Project, place: list[str], text: str, *args: str, code: int = 0) -> Done:
    """The same, with ``--state URL`` as the place."""
    done = project.run(*place, "state", "push", *args, input=text)
    assert done.returncode == code, said(done)
    assert "Traceback (most recent call last)" not in done.stderr, done.stderr
    return done


def rows(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database, but for the mark that a push sets, and how often the lock was taken."""
    with closing(sqlite3.connect(state_file(project))) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: sorted(db.execute(f"SELECT * FROM {name}"), key=repr) for name in names if name[0] != "_"}
    found["meta"] = [row[:-2] for row in found["meta"]]
    found["marks"] = [row for row in found["marks"] if row[0] != "untracked"]
    return found


def sealed(lines: list[str]) -> str:
    """Rows of a text with a last line that fits them."""
    body = "".join(f"{line}\n" for line in lines)
    tables = [kind.table for kind in ROW_TYPES]
    counts = {table: sum(line.startswith(f'{{"{table}":') for line in lines[1:]) for table in tables}
    end = {"end": {"counts": counts, "sha256": hashlib.sha256(body.encode()).hexdigest()}}
    return body + json.dumps(end) + "\n"


def changed(text: str, table: str, **columns: Any) -> str:
    """The text with other values in the first row of a table."""
    lines = text.splitlines()[:-1]
    at = next(index for index, line in enumerate(lines) if line.startswith(f'{{"{table}":'))
    lines[at] = json.dumps({table: json.loads(lines[at])[table] | columns})
    return sealed(lines)


def headed(text: str, **values: Any) -> str:
    """The text with other values in its first line."""
    first, *others = text.splitlines()[:-1]
    return sealed([json.dumps(json.loads(first) | values), *others])


# There and back.


def test_a_state_moves_to_another_machine(applied: Project, other: Project, service: FakeService) -> None:
    text = pulled(applied)
    told = push(other, text).stdout
    assert line_with(told, "Pushed 2 attempts, 1 addresses into a new state", f"serial is {serial_of(applied)} ")
    assert line_with(told, "Do not use the state any more")
    assert line_with(told, "Next: `reconciler plan`")
    assert "undo" not in told
    assert rows(other) == rows(applied)
    assert mark(other) == "due"
    assert state_file(other).stat().st_mode & 0o777 == 0o600
    other.settled()
    other.apply()
    other.declare(run("a"), run("b", 11))
    assert "reuse" in other.expect(0, "plan").stdout, "what was forgotten is still known"
    other.apply()
    assert len(service.creates) == 2
    told = push(applied, pulled(other)).stdout
    assert rows(applied) == rows(other)
    assert facts(applied) == facts(other)
    assert line_with(told, "To undo this: reconciler state restore ")
    assert len([path for path in kept(applied) if "before-push" in path.name]) == 1


def test_a_state_moves_to_postgresql_and_back(applied: Project, database: str, service: FakeService) -> None:
    there = ["--state", database]

    def lines(*args: str) -> set[str]:
        """The rows of a text, in whatever order, less the mark that a push sets itself."""
        text = applied.expect(0, *args, "state", "pull").stdout
        return {line for line in text.splitlines()[1:-1] if '"name":"untracked"' not in line}

    done = piped(applied.command("state", "pull"), applied.command(*there, "state", "push"), applied)
    assert "codes 0 0" in done.stdout, said(done)
    assert lines(*there) == lines()
    applied.expect(0, *there, "plan", "--detailed-exitcode")
    done = piped(applied.command("state", "pull"), applied.command(*there, "state", "push"), applied)
    assert "Nothing to do" in done.stdout, said(done)
    applied.declare(run("a"), run("c", 12))
    applied.expect(0, *there, "apply", "--auto-approve")
    older = said(push_to(applied, there, pulled(applied), code=1))
    assert "older state" in older
    done = piped(applied.command(*there, "state", "pull"), applied.command("state", "push"), applied)
    assert "codes 0 0" in done.stdout, said(done)
    assert lines() == lines(*there)
    applied.settled()
    assert len(service.creates) == 3
    applied.declare(run("a"))
    applied.apply()
    told = push_to(applied, there, pulled(applied)).stdout
    assert "No backup was made of what was there" in told
    assert lines() == lines(*there)


def test_it_can_be_undone(applied: Project, other: Project) -> None:
    push(other, pulled(applied))
    other.declare(run("a"), run("c", 12))
    other.apply()
    before = facts(applied)
    told = push(applied, pulled(other)).stdout
    assert facts(applied) == facts(other) != before
    undo = line_with(told, "To undo this: ").partition("reconciler ")[2]
    applied.expect(0, *shlex.split(undo))
    assert facts(applied) == before
    assert serial_of(applied) > serial_of(other)


def test_the_text_is_json_lines_without_anything_that_acts_on_a_terminal(applied: Project) -> None:
    done = applied.expect(0, "state", "pull")
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    values = [json.loads(line) for line in lines]
    assert values[0]["format"] == "reconciler-state"
    assert values[0]["base_url"] == applied.url
    assert [set(value) for value in values[1:3]] == [{"attempts"}, {"attempts"}]
    assert values[-1]["end"]["counts"]["attempts"] == 2
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert pulled(applied) == done.stdout, "to look changes nothing"


def test_a_pull_to_a_file(applied: Project, other: Project) -> None:
    target = applied.folder / "moved.state"
    told = applied.expect(0, "state", "pull", "--out", str(target)).stdout
    assert line_with(told, str(target), "2 attempts, 1 addresses", f"serial {serial_of(applied)} ")
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text() == pulled(applied)
    assert [path.name for path in applied.folder.glob(".*")] == []
    before = tree(applied.folder)
    assert str(target) in said(applied.expect(1, "state", "pull", "--out", str(target)))
    assert tree(applied.folder) == before
    other.expect(0, "state", "push", str(target))
    assert rows(other) == rows(applied)
    assert "can't be read" in said(other.expect(1, "state", "push", str(applied.folder / "none")))
    assert "can't be read" in said(other.expect(1, "state", "push", str(applied.folder)))


def test_without_a_state_there_is_nothing_to_pull(project: Project) -> None:
    project.declare(run("a"))
    target = project.folder / "none.state"
    for extra in ([], ["--dry-run"], ["--out", str(target)]):
        assert "no state" in said(project.expect(1, "state", "pull", *extra))
    assert not target.exists()
    assert not (project.root / ".reconciler").exists()


def test_dry_runs_write_nothing(applied: Project, other: Project) -> None:
    text, target = pulled(applied), applied.folder / "moved.state"
    before = tree(applied.folder)
    told = applied.expect(0, "state", "pull", "--dry-run", "--out", str(target)).stdout
    assert line_with(told, "Would write", "2 attempts", "Nothing was done")
    told = push(other, text, "--dry-run").stdout
    assert line_with(told, "Would push 2 attempts, 1 addresses into a new state")
    assert "Nothing was done" in told
    assert "Nothing to do" in push(applied, text, "--dry-run").stdout
    assert tree(applied.folder) == before, "the other machine's folder is below this one's"


def test_what_is_there_already_is_left_alone(applied: Project, other: Project) -> None:
    text = pulled(applied)
    push(other, text)
    with closing(sqlite3.connect(state_file(other))) as db, db:
        db.execute("UPDATE marks SET value = 'passed'")
    before = (rows(other), kept(other))
    assert "Nothing to do" in push(other, text).stdout
    assert "Nothing to do" in push(applied, text).stdout
    assert (rows(other), kept(other), mark(other)) == (*before, "passed")


def test_an_empty_state_gives_way(applied: Project, other: Project) -> None:
    other.expect(0, "init", "--fresh")
    told = push(other, pulled(applied)).stdout
    assert line_with(told, "into the state (its serial was 0)")
    assert rows(other) == rows(applied)
    assert mark(other) == "due", "the consent was given for another state"


# What a push may not do.


def refused(project: Project, text: str, *words: str) -> None:
    """Both a push and its dry run say so, and change nothing."""

    def content() -> dict[str, list[tuple[Any, ...]]] | None:
        return rows(project) if state_file(project).exists() else None

    before, files = content(), tree(project.root, project.home).keys()
    for extra in (["--dry-run"], []):
        told = said(push(project, text, *extra, code=1))
        assert [word for word in words if word not in told] == [], told
        assert "\x1b" not in told
        assert "othing was changed" in told
        assert content() == before
        assert {path for path in tree(project.root, project.home) if not path.endswith(".lock")} <= files


def test_the_runs_of_another_service(applied: Project, other: Project) -> None:
    with FakeService() as another:
        text = headed(pulled(applied), base_url=another.url)
        for one in (applied, other):
            refused(one, text, another.url, one.url)
    assert not state_file(other).exists()


def test_another_state(applied: Project, other: Project) -> None:
    other.declare(run("x", 31))
    other.apply()
    refused(other, pulled(applied), "another state")
    refused(applied, pulled(other), "another state")


def test_an_older_state(applied: Project) -> None:
    text = pulled(applied)
    applied.declare(run("a"), run("c", 12))
    applied.apply()
    refused(applied, text, "older", f"serial {json.loads(text.splitlines()[0])['serial']}", "restore")


def test_as_old_and_not_the_same(applied: Project) -> None:
    text = changed(pulled(applied), "attempts", note="other")
    refused(applied, text, "same content", "refresh")


def test_a_state_that_lacks_an_attempt(applied: Project) -> None:
    """Both were worked with since: whichever is newer would lose what the other one bought."""
    text = pulled(applied)
    applied.declare(run("a"), run("c", 12))
    applied.apply()
    run_id = next(entry["run_id"] for entry in applied.output() if entry["address"] == "run.c")
    refused(applied, headed(text, serial=serial_of(applied) + 5), "lacks attempt", "run.c", run_id)


def test_a_run_that_an_attempt_would_lose(applied: Project) -> None:
    text = headed(pulled(applied), serial=serial_of(applied) + 1)
    refused(applied, changed(text, "attempts", run_id="another"), "would lose its run")
    assert "another" not in json.dumps(applied.output())


def twins(text: str) -> str:
    """The first attempt once more, as another one with the same run."""
    lines = text.splitlines()[:-1]
    twin = json.loads(lines[1])["attempts"] | {"attempt_id": "twin"}
    return sealed([*lines, json.dumps({"attempts": twin})])


BROKEN: list[tuple[Callable[[str], str], str]] = [
    (lambda text: "", "standard input, line 1: there is nothing"),
    (lambda text: "hello\n", "standard input, line 1: "),
    (lambda text: text[: len(text) // 2], "standard input, line "),
    (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "ends before its last line"),
    (lambda text: text.replace("SUCCEEDED", "SUCCEEDEE", 1), "hash"),
    (lambda text: text + "more\n", "follows"),
    (lambda text: headed(text, format_version=FORMAT_VERSION + 1), "newer version"),
    (lambda text: headed(text, lineage="../../../elsewhere"), "lineage"),
    (lambda text: changed(text, "attempts", status={"a": 1}), "line 2: status of attempts"),
    (lambda text: changed(text, "attempts", sent_json="\x1b[2J"), r"sent_json of attempts is '\x1b[2J'"),
    (lambda text: changed(text, "attempts", **{"\x1b[31m": 1}), r"'\x1b[31m' is not known"),
    (lambda text: changed(text, "instances", attempt_id="\x1b[1A\nnobody"), r"points at attempt \x1b[1A\nnobody"),
    (lambda text: changed(text, "journal", seq=2**63 - 1), "seq of journal"),
    (lambda text: sealed([*text.splitlines()[:-1], text.splitlines()[1]]), "twice"),
    (lambda text: sealed([*text.splitlines()[:-1], "[" * 200_000]), "no JSON"),
    (twins, "of attempt twin belongs to attempt"),
]


def test_a_broken_or_hostile_text(applied: Project, other: Project) -> None:
    """Most of them by the function that the command calls."""
    text, project = pulled(applied), read_project(other.root, other.environment())
    for number, (break_it, words) in enumerate(BROKEN):
        if number % 5:
            with pytest.raises(StateError) as caught:
                transfer.push(project, io.BytesIO(break_it(text).encode()), "standard input")
            told = one_line(str(caught.value))
        else:
            (told,) = said(push(other, break_it(text), code=1)).splitlines()
        assert words in told, told
        assert "othing was changed" in told
        assert "\x1b" not in told
        assert not (other.root / ".reconciler").exists()


def test_a_line_that_never_ends(other: Project) -> None:
    """It is given up long before memory is."""
    process = subprocess.Popen(
        other.command("state", "push"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=other.environment(),
        bufsize=0,
    )
    assert process.stdin is not None
    piece = b"[" * 2**16
    with process.stdin, pytest.raises(BrokenPipeError):
        process.stdin.writelines(piece for _ in range(300 * 16))
    process.stdin = None
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"longer than 64 MiB" in told


# With others at work, in pipes, and killed.


def test_a_push_waits_for_the_lock_and_fences_off_who_had_it(
    applied: Project, other: Project, service: FakeService
) -> None:
    push(other, pulled(applied))
    other.declare(run("a"), run("c", 12))
    other.apply()
    text, before = pulled(other), facts(applied)
    holder = subprocess.Popen(
        script(HOLD, state_file(applied), service.url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        assert str(holder.pid) in said(push(applied, text, code=5))
        assert (facts(applied), kept(applied)) == (before, [])
        looked = applied.expect(0, "state", "pull")
        assert "at work" in looked.stderr
        assert "at work" not in looked.stdout
        print("let go", file=holder.stdin, flush=True)
        push(applied, text, "--lock-timeout", "10s")
        out, _ = holder.communicate("decide\n", timeout=30)
    finally:
        holder.kill()
        holder.wait()
    seen, told = out.splitlines()
    assert seen == "['run.a', 'run.c']"
    assert "state push" in told
    assert facts(applied) == facts(other)


def piped(left: list[str], right: list[str], project: Project) -> Done:
    line = f"{shlex.join(left)} | {shlex.join(right)}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}; echo codes ${{PIPESTATUS[*]}}"],
        cwd=project.elsewhere,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_from_one_project_into_another_through_a_pipe(applied: Project, other: Project) -> None:
    done = piped(applied.command("state", "pull"), other.command("state", "push"), applied)
    assert "codes 0 0" in done.stdout, said(done)
    assert done.stderr == ""
    assert rows(other) == rows(applied)
    done = piped(applied.command("state", "pull"), applied.command("state", "push"), applied)
    assert "codes 0 0" in done.stdout
    assert "Nothing to do" in done.stdout


def many(project: Project, count: int = 3000) -> None:
    """More attempts than a pipe holds."""
    code = """
from pathlib import Path
from state.sqlite.store import open_sqlite
from state.writes import Put
from tests.state.samples import attempt
store = open_sqlite(Path(sys.argv[1]), base_url=sys.argv[2])
store.commit([Put(attempt(f"many-{n}", f"run.many_{n}", note="x" * 500)) for n in range(int(sys.argv[3]))])
"""
    subprocess.run(script(code, state_file(project), project.url, count), check=True, timeout=60)


def test_the_reader_of_a_pull_goes_away(applied: Project) -> None:
    many(applied)
    done = piped(applied.command("state", "pull"), ["head", "-n", "1"], applied)
    assert "codes 1 0" in done.stdout
    assert "Only a part of the state could be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    failing = applied.command("state", "push", str(applied.folder / "none"))
    done = piped(applied.command("state", "pull"), failing, applied)
    assert "codes 1 1" in done.stdout


def test_a_pull_into_a_full_disk_is_no_success(applied: Project) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            applied.command("state", "pull"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=applied.environment(),
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert "Only a part of the state could be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_writer_of_a_push_fails(applied: Project, other: Project) -> None:
    broken = applied.command("--state", "sqlite:///nowhere.db", "state", "pull")
    done = piped(broken, other.command("state", "push"), applied)
    assert "codes 1 1" in done.stdout
    assert "did the command that was to write it fail?" in done.stderr
    assert not (other.root / ".reconciler").exists()


def test_the_writer_of_a_push_is_killed(applied: Project, other: Project) -> None:
    many(applied)
    pull = subprocess.Popen(applied.command("state", "pull"), stdout=subprocess.PIPE, env=applied.environment())
    assert pull.stdout is not None
    start = pull.stdout.read(100_000)
    pull.kill()
    pull.communicate()
    command, environment = other.command("state", "push"), other.environment()
    done = subprocess.run(command, input=start, capture_output=True, env=environment, timeout=30, check=False)
    assert done.returncode == 1
    assert b"standard input, line" in done.stderr
    assert not (other.root / ".reconciler").exists()


SLOW_PUSH = """
import time
import state.sqlite.exchange as exchange
from reconciler.cli.main import main
written, at = exchange.replace, int(sys.argv[1])
def replace(db, meta, rows):
    path = db.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    real = path.endswith("state.db")
    def slowly():
        for number, row in enumerate(rows):
            if real and number == at:
                print("here", flush=True)
                time.sleep(60)
            yield row
    written(db, meta, slowly())
    if real:
        print("written", flush=True)
        time.sleep(60)
exchange.replace = replace
sys.argv[1:] = sys.argv[2:]
main()
"""


@pytest.mark.parametrize("at", [0, 3, 10**9])
def test_a_push_that_is_killed_has_changed_nothing(applied: Project, other: Project, at: int) -> None:
    """Killed while it writes, and when all is written but the end of the transaction."""
    push(other, pulled(applied))
    other.declare(run("a"), run("c", 12))
    other.apply()
    target = other.folder / "moved.state"
    other.expect(0, "state", "pull", "--out", str(target))
    before = rows(applied)
    process = subprocess.Popen(
        script(SLOW_PUSH, at, "-C", applied.root, "state", "push", target),
        stdout=subprocess.PIPE,
        text=True,
        env=applied.environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == ("written\n" if at > 10**6 else "here\n")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert rows(applied) == before
    assert mark(applied) == "passed"
    applied.expect(0, "state", "push", str(target))
    assert rows(applied) == rows(other)


def test_a_push_that_is_killed_anywhere_leaves_the_one_or_the_other(applied: Project, other: Project) -> None:
    push(other, pulled(applied))
    many(other, 500)
    text, before, after = pulled(other), rows(applied), rows(other)
    seen = []
    for tenths in (2, 4, 6, 8, 10, 14):
        process = subprocess.Popen(
            applied.command("state", "push"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=applied.environment(),
            text=True,
        )
        assert process.stdin is not None
        started = time.monotonic()
        process.stdin.write(text)
        process.stdin.close()
        try:
            process.wait(max(0.0, tenths / 10 - (time.monotonic() - started)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        now = rows(applied)
        assert now in (before, after)
        assert mark(applied) == ("passed" if now == before else "due")
        seen.append(now == after)
    assert seen == sorted(seen), "once it is there, it stays"
    push(applied, text)
    assert rows(applied) == after


# What comes next.


def test_the_next_plan_looks_for_runs_that_the_state_does_not_know(
    applied: Project, other: Project, service: FakeService
) -> None:
    text = pulled(applied)
    applied.declare(run("a"), run("c", 12))
    applied.apply()
    push(other, text)
    other.declare(run("a"), run("c", 12))
    assert service.run_of(12).id in said(other.expect(1, "plan"))
    other.apply(code=1)
    assert len(service.creates) == 3
    other.expect(0, "import", "--match")
    other.settled()


def test_this_machine_remembers_what_was_pushed(applied: Project, service: FakeService) -> None:
    """Pushed to another place on the same machine, and worked with there: the old place notices that it is behind."""
    place = ["--state", f"sqlite:///{applied.folder / 'moved' / 'state.db'}"]
    push_to(applied, place, pulled(applied))
    applied.declare(run("a"), run("c", 12))
    applied.expect(0, *place, "apply", "--auto-approve")
    assert service.run_of(12).id in said(applied.apply(code=1))
    assert len(service.creates) == 3


def test_an_old_text_gets_a_serial_that_was_never_used(applied: Project, service: FakeService) -> None:
    """The state was lost, and there is only a text from before: its serial must not stand for two contents."""
    text = pulled(applied)
    applied.declare(run("a"), run("c", 12))
    applied.apply()
    serial = serial_of(applied)
    for file in state_file(applied).parent.iterdir():
        file.unlink()
    foreseen = push(applied, text, "--dry-run").stdout
    told = push(applied, text).stdout
    for one in (foreseen, told):
        assert line_with(one, f"This machine knows serial {serial} of this state")
    assert serial_of(applied) == serial + 1
    assert service.run_of(12).id in said(applied.expect(1, "plan"))


def test_a_run_that_waits_in_a_rescue_file_is_told(applied: Project) -> None:
    with closing(sqlite3.connect(state_file(applied))) as db:
        (lineage,) = db.execute("SELECT lineage FROM meta").fetchone()
    saved = {"lineage": lineage, "attempt_id": "a", "address": "run.z", "run_id": "r", "at": "2025-01-01T00:00:00Z"}
    applied.write(".reconciler/rescue.jsonl", json.dumps(saved) + "\n")
    done = applied.expect(0, "state", "pull")
    assert "rescue file" in done.stderr
    assert "rescue" not in done.stdout


def test_it_does_not_wait_for_a_person_to_type_a_state(applied: Project) -> None:
    code = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *applied.command("state", "push")],
        env=applied.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "Name the file" in done.stdout
