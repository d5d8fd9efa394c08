"""Backups of the state: made by hand, found again when the state is gone, restored so that it can be undone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.project import Project, line_with, run, said
from tests.service import FakeService
from tests.state.samples import script


def database(project: Project) -> Path:
    return project.root / ".reconciler" / "state.db"


def backup(project: Project, *args: str) -> Path:
    done = project.expect(0, "state", "backup", *args)
    return Path(line_with(done.stdout, "Backed the state up: ").partition(": ")[2])


def kept(project: Project) -> list[Path]:
    """Backups, less those that each apply makes by itself."""
    return sorted(path for path in (project.home / "data").rglob("*.db") if "before-apply" not in path.name)


def serial_of(project: Project) -> int:
    return int(json.loads(project.expect(0, "show", "--json").stdout)["serial"])


def facts(project: Project) -> dict[str, tuple[str, str]]:
    """What stands in the state: of each address the run and its status."""
    return {one["address"]: (one["run_id"], one["status"]) for one in project.output()}


def mark(project: Project) -> str | None:
    with closing(sqlite3.connect(database(project))) as db:
        found = db.execute("SELECT value FROM marks WHERE name = 'untracked'").fetchone()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    return found[0] if found else None


@pytest.fixture
def applied(project: Project) -> Project:
    project.declare(run("a"))
    project.apply()
    return project


def test_a_backup_lies_outside_of_the_project(applied: Project) -> None:
    made = backup(applied)
    assert made in kept(applied)
    assert applied.root not in made.parents
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    listed = applied.expect(0, "state", "restore", "--list").stdout
    assert line_with(listed, str(made), "by-hand", f"serial {applied.plan().json['serial']} ", "1 attempts")


def test_a_backup_to_a_file_never_replaces_one(applied: Project) -> None:
    target = applied.folder / "mine.db"
    assert backup(applied, "--out", str(target)) == target
    before = target.read_bytes()
    assert str(target) in said(applied.expect(1, "state", "backup", "--out", str(target)))
    assert target.read_bytes() == before
    assert kept(applied) == []
    applied.expect(0, "state", "restore", str(target))


def test_without_a_state_there_is_nothing_to_back_up(project: Project) -> None:
    project.declare(run("a"))
    project.expect(1, "state", "backup")
    assert "no backup" in said(project.expect(1, "state", "restore"))
    assert project.expect(0, "state", "restore", "--list").stdout == ""
    assert not (project.root / ".reconciler").exists()
    assert not (project.home / "data").exists()


def test_dry_runs_write_nothing(applied: Project) -> None:
    made = backup(applied)
    before = (database(applied).read_bytes(), kept(applied))
    assert str(made) in applied.expect(0, "state", "restore", "--dry-run").stdout
    applied.expect(0, "state", "backup", "--dry-run")
    assert (database(applied).read_bytes(), kept(applied)) == before


def test_a_restore_says_what_is_lost_and_can_be_undone(applied: Project, service: FakeService) -> None:
    backup(applied)
    applied.declare(run("a"), run("b", 11))
    applied.apply()
    before, serial = facts(applied), serial_of(applied)
    lost = service.run_of(11).id
    foreseen = applied.expect(0, "state", "restore", "--dry-run").stdout
    assert line_with(foreseen, "run.b", lost)
    assert facts(applied) == before
    told = applied.expect(0, "state", "restore").stdout
    assert line_with(told, "run.b", lost)
    assert "run.a" not in told
    assert set(facts(applied)) == {"run.a"}
    assert mark(applied) == "due"
    assert serial_of(applied) > serial  # a serial never stands for two contents
    undo = re.search(r"To undo this: reconciler (state restore (.*))", told)
    assert undo is not None
    applied.expect(0, *undo[1].split(" ", 2))
    assert facts(applied) == before
    assert mark(applied) == "due"


def test_the_newest_backup_that_no_restore_made_is_taken(applied: Project) -> None:
    first = backup(applied)
    applied.expect(0, "state", "restore")
    assert len(kept(applied)) == 2
    assert str(first) in applied.expect(0, "state", "restore").stdout


@pytest.mark.parametrize("loss", ["deleted", "cleaned", "overwritten", "cut off", "emptied"])
def test_a_state_that_is_gone_or_damaged_comes_back(applied: Project, service: FakeService, loss: str) -> None:
    backup(applied)
    before, path = facts(applied), database(applied)
    whole = path.read_bytes()
    match loss:
        case "deleted":
            path.unlink()
        case "cleaned":
            shutil.rmtree(path.parent)
        case "overwritten":
            path.write_bytes(b"this is no database " * 500)
        case "cut off":
            path.write_bytes(whole[: len(whole) // 2])
        case "emptied":
            path.write_bytes(b"")
    broken = path.read_bytes() if path.exists() else b""
    told = applied.expect(0, "state", "restore", "--dry-run").stdout
    assert (path.read_bytes() if path.exists() else b"") == broken
    told = applied.expect(0, "state", "restore").stdout
    assert facts(applied) == before
    assert mark(applied) == "due"
    applied.settled()
    assert len(service.creates) == 1
    if broken:
        aside = Path(line_with(told, "was moved aside").partition(": ")[2].rstrip("."))
        assert aside.read_bytes() == broken
        assert "corrupt" in aside.name


def test_a_new_state_in_the_place_of_the_lost_one_gives_way(applied: Project) -> None:
    backup(applied)
    before = facts(applied)
    shutil.rmtree(database(applied).parent)
    applied.write("reconciler.toml", (applied.root / "reconciler.toml").read_text().replace("[run.a]", "[run.c]"))
    applied.expect(0, "state", "restore")
    assert facts(applied) == before


def test_what_does_not_fit_is_refused_untouched(applied: Project, service: FakeService) -> None:
    made = backup(applied)
    other = applied.folder / "other.db"
    with FakeService() as another:
        shutil.copy(made, other)
        with closing(sqlite3.connect(other)) as db:
            db.execute("UPDATE meta SET base_url = ?", (another.url,))
            db.commit()
    foreign, newer, damaged = applied.folder / "foreign.db", applied.folder / "newer.db", applied.folder / "damaged.db"
    shutil.copy(made, foreign)
    with closing(sqlite3.connect(foreign)) as db:
        db.execute("UPDATE meta SET lineage = 'another-lineage'")
        db.commit()
    shutil.copy(made, newer)
    with closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 99")
    damaged.write_bytes(made.read_bytes()[:9000])
    before, serial = facts(applied), serial_of(applied)
    for file, word in [(other, another.url), (foreign, "another-lineage"), (newer, "99"), (damaged, "damaged")]:
        for extra in ([], ["--dry-run"]):
            told = said(applied.expect(1, "state", "restore", str(file), *extra))
            assert word in told
            assert str(file) in told
        assert (facts(applied), serial_of(applied), mark(applied)) == (before, serial, "passed")
    assert "no backup" in said(applied.expect(1, "state", "restore", str(applied.folder / "nothing.db")))
    assert kept(applied) == [made]


def test_somebody_elses_database_is_not_moved_aside(applied: Project) -> None:
    backup(applied)
    database(applied).unlink()
    with closing(sqlite3.connect(database(applied))) as db:
        db.execute("CREATE TABLE customers (name)")
    database(applied).chmod(0o600)
    before = database(applied).read_bytes()
    assert "no state" in said(applied.expect(1, "state", "restore"))
    assert database(applied).read_bytes() == before


HOLD = """
import time
from pathlib import Path
from state.errors import StateLockLost
from state.sqlite.store import open_sqlite
from state.writes import Put
from tests.state.samples import instance
store = open_sqlite(Path(sys.argv[1]), base_url=sys.argv[2])
with store.lock("apply"):
    print("held", flush=True)
    sys.stdin.readline()
sys.stdin.readline()
print(sorted(store.snapshot().instances), flush=True)
try:
    store.commit([Put(instance("run.late"))])
    print("recorded")
except StateLockLost as error:
    print(error)
"""


def test_a_restore_waits_for_the_lock_and_fences_off_who_had_it(applied: Project, service: FakeService) -> None:
    backup(applied)
    applied.declare(run("a"), run("b", 11))
    applied.apply()
    holder = subprocess.Popen(
        script(HOLD, database(applied), service.url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        before = kept(applied)
        assert str(holder.pid) in said(applied.expect(5, "state", "restore"))
        assert kept(applied) == before
        assert set(facts(applied)) == {"run.a", "run.b"}
        print("let go", file=holder.stdin, flush=True)
        applied.expect(0, "state", "restore", "--lock-timeout", "10s")
        out, _ = holder.communicate("decide\n", timeout=30)
    finally:
        holder.kill()
        holder.wait()
    seen, told = out.splitlines()
    assert seen == "['run.a']"  # the same file, with the new content
    assert "state restore" in told
    assert set(facts(applied)) == {"run.a"}


def test_a_restore_that_is_killed_leaves_one_of_the_two(applied: Project) -> None:
    backup(applied)
    before = facts(applied)
    for tenths in range(1, 9):
        process = applied.start("state", "restore")
        try:
            process.wait(tenths / 10)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert facts(applied) == before
        assert mark(applied) in ("passed", "due")
    applied.expect(0, "state", "restore")
