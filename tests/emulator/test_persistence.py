"""The file survives the death of its process, is private, and is left alone when it is another's."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import Faults
from reconciler.dataframer.emulator.storage import UnusableDatabase
from tests.emulator.api import RUNS, Api, Clock

ROOT = Path(__file__).parents[2]

# Makes runs and prints each id once its answer is there, until it is killed.
MAKER = """
import json, sys
from pathlib import Path
from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import Faults
from reconciler.dataframer.emulator.messages import ApiRequest
from reconciler.dataframer.emulator.specs import SUPPORT_TICKETS

emulator = Emulator(Path(sys.argv[1]), faults=Faults())
body = json.dumps({"spec_id": SUPPORT_TICKETS, "number_of_samples": 2}).encode()
while True:
    answer = emulator.handle(ApiRequest("POST", "/api/dataframer/runs/", body=body))
    print(json.loads(answer.body)["id"], flush=True)
"""


def test_every_answered_run_survives_a_sigkill(database: Path) -> None:
    answered: list[str] = []
    for count in (3, 20, 50):
        with subprocess.Popen(
            [sys.executable, "-c", MAKER, str(database)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as maker:
            assert maker.stdout is not None
            answered += [maker.stdout.readline().strip() for _ in range(count)]
            maker.send_signal(signal.SIGKILL)
            answered += [line.strip() for line in maker.stdout if line.endswith("\n")]
            assert maker.wait() == -signal.SIGKILL
    emulator = Emulator(database, faults=Faults())
    listed = {run["id"] for run in Api(emulator).get(RUNS).json}
    emulator.close()
    assert set(answered) <= listed
    # At most the one whose answer was cut off by each kill.
    assert len(listed) - len(answered) <= 3
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_runs_go_on_while_nobody_looks(database: Path, clock: Clock) -> None:
    first = Emulator(database, clock, faults=Faults())
    run_id = Api(first).create()
    first.close()
    clock.forward(60)
    second = Emulator(database, clock, faults=Faults())
    assert Api(second).run(run_id)["status"] == "SUCCEEDED"
    second.close()


def test_several_processes_may_open_a_new_file_at_once(database: Path) -> None:
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKER, str(database)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answered = []
    for maker in makers:
        assert maker.stdout is not None
        answered += [maker.stdout.readline().strip() for _ in range(5)]
    for maker in makers:
        maker.kill()
        maker.communicate()
    assert "" not in answered
    emulator = Emulator(database, faults=Faults())
    api = Api(emulator)
    assert set(answered) <= {run["id"] for run in api.get(RUNS).json}
    assert len(api.get("/api/dataframer/specs/").json) == 6
    emulator.close()


def test_the_file_and_its_folder_are_private(api: Api, database: Path) -> None:
    api.create()
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert database.name in modes


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (a)")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("not a database " * 100)


@pytest.mark.parametrize("make", [_newer, _foreign, _text])
def test_a_file_that_is_not_the_emulators_is_refused(tmp_path: Path, make: object) -> None:
    path = tmp_path / "other.db"
    assert callable(make)
    make(path)
    with pytest.raises(UnusableDatabase, match=r"other\.db"):
        Emulator(path, faults=Faults())
    assert path.stat().st_size > 0
