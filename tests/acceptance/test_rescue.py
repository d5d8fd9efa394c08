"""A run that was bought while the state can't be written: its id survives, and is taken in by the next command."""

from __future__ import annotations

import json
import resource
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.project import Project, run, said
from tests.service import FakeService

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit (Linux)")


def bought_on_a_full_disk(project: Project, service: FakeService, room: int | None) -> tuple[int, str]:
    """Apply, and let no file grow beyond ``room`` bytes from the moment on at which the create call arrives; None: as
    large as the state's log is then, so that small files still can be written.
    """
    with service.creates_held():
        process = project.start("apply", "--auto-approve", "--no-wait")
        service.wait_for(lambda: len(service.creates) == 1)
        time.sleep(0.3)
        log = project.root / ".reconciler" / "state.db-wal"
        size = log.stat().st_size if room is None else room
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def test_the_id_goes_to_a_file_and_is_taken_in(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    code, told = bought_on_a_full_disk(project, service, None)
    assert code == 1, told
    (run_id,) = service.run_ids
    assert run_id in told
    rescue = project.root / ".reconciler" / "rescue.jsonl"
    assert stat.S_IMODE(rescue.stat().st_mode) == 0o600
    assert json.loads(rescue.read_text())["run_id"] == run_id
    assert run_id in said(project.expect(0, "plan"))
    assert "rescued" in project.apply().stdout
    assert not rescue.exists()
    assert [entry["run_id"] for entry in project.output()] == [run_id]
    assert len(service.creates) == 1
    project.settled()


def test_refresh_takes_it_in_as_well(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    bought_on_a_full_disk(project, service, None)
    assert "rescued" in project.expect(0, "refresh").stdout
    assert [entry["run_id"] for entry in project.output()] == service.run_ids
    assert len(service.creates) == 1


def test_where_no_file_takes_it_it_is_printed(project: Project, service: FakeService) -> None:
    project.env |= {"RECONCILER_SETTLE_SECONDS": "0.2", "RECONCILER_DEAD_SECONDS": "1"}
    project.declare(run("a"))
    code, told = bought_on_a_full_disk(project, service, 0)
    assert code == 1, told
    (run_id,) = service.run_ids
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert [line["run_id"] for line in lines] == [run_id]
    assert list(project.folder.rglob("rescue.jsonl")) == [] or all(
        path.stat().st_size == 0 for path in project.folder.rglob("rescue.jsonl")
    )
    project.apply()  # the journal settles it all the same
    assert [entry["run_id"] for entry in project.output()] == [run_id]
    assert len(service.creates) == 1


def test_lines_of_others_stay(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    bought_on_a_full_disk(project, service, None)
    rescue = project.root / ".reconciler" / "rescue.jsonl"
    ours = rescue.read_text()
    foreign = json.dumps(json.loads(ours) | {"lineage": "another"}) + "\n"
    rescue.write_text(foreign + "no line of ours\n" + ours)
    project.apply()
    assert Path(rescue).read_text().startswith(foreign)
    project.apply()
    assert [entry["run_id"] for entry in project.output()] == service.run_ids
    assert len(service.creates) == 1


def test_a_disk_that_is_full_before_buys_nothing(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    project.declare(run("a"), run("b", 11))
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "sys.argv = ['reconciler', *sys.argv[1:]]; from reconciler.cli.main import main; main()"
    )
    command = project.command("apply", "--auto-approve", "--no-wait")
    done = subprocess.run(
        [command[0], "-c", script, *command[3:]],
        cwd=project.elsewhere, env=project.environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, said(done)
    assert "Traceback" not in done.stderr
    assert len(service.creates) == 1
