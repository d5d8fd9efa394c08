"""``reconciler download``: which runs, what is said, and that it can be cut short anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli.main import cli
from reconciler.cli.session import Session
from reconciler.model.errors import ReconcilerError, SecretError, UsageError
from reconciler.outputs import choose
from state.records import InstanceRecord, Phase
from state.sqlite.store import open_sqlite
from state.store import Store
from state.writes import Put
from tests.downloading.depot import KEY, SIGNATURE, Depot, Get, Said, ranged
from tests.downloading.origins import APPLIED, files, recorded
from tests.state.samples import T0, attempt, instance

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, service: Depot, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is bound to the depot; its state has one run of every kind."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "reconciler.toml").write_text(f'[api]\nbase_url = "{service.url}"\n')
    store = open_sqlite(project / ".reconciler" / "state.db", base_url=service.url, create=True)
    store.commit([Put(APPLIED)])
    for name in ("a", "b"):
        record(store, f"run.{name}", f"r-{name}")
        service.add(f"r-{name}", {"x.txt": name.encode(), "y.txt": b"why"})
    record(store, "run.failed", "r-failed", "FAILED")
    record(store, "run.working", "r-working", "PROCESSING")
    record(store, 'run.langs["de"]', "r-de")
    service.add("r-de", {"x.txt": b"de"})
    store.commit([Put(instance("run.new"))])
    store.close()
    monkeypatch.setenv("DATAFRAMER_API_KEY", KEY)
    monkeypatch.delenv("RECONCILER_STATE_URL", raising=False)
    return project


def record(store: Store, address: str, run_id: str, status: str = "SUCCEEDED", gone_at: str | None = None) -> None:
    made = recorded(run_id, address, status=status, gone_at=gone_at)
    store.commit([Put(made), Put(InstanceRecord(address, made.attempt_id, "{}", T0))])


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process; gives exit code, standard output and standard error."""

    def invoke(*args: str, quiet: bool = False) -> tuple[int, str, str]:
        line = ["-C", str(root), *(["--quiet"] if quiet else []), "download", *args]
        code = cli.main(line, prog_name="reconciler", standalone_mode=False, obj=Session())
        said = capsys.readouterr()
        return code or 0, said.out, said.err

    return invoke


def test_every_run_that_succeeded(root: Path, run: Run, service: Depot) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert files(root / "outputs") == {
        "run.a/files/x.txt": b"a",
        "run.a/files/y.txt": b"why",
        "run.b/files/x.txt": b"b",
        "run.b/files/y.txt": b"why",
        "run.langs.de/files/x.txt": b"de",
    }
    assert f"run.a: fetched 2 files, 4 B into {root}/outputs/run.a" in out
    assert "run.failed: skipped: its run is FAILED" in out
    assert "run.new: skipped: no run yet" in out
    assert out.endswith("Download complete: 3 runs fetched (5 files, 10 B).\n")
    assert [path for path in root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []


def test_again_there_is_nothing_to_do_and_no_key_is_needed(
    root: Path, run: Run, service: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("run.a")
    service.asked.clear()
    monkeypatch.delenv("DATAFRAMER_API_KEY")
    code, out, _ = run("run.a")
    assert (code, service.asked) == (0, [])
    assert out == "run.a: all there (2 files, 4 B)\nDownload complete: 1 was there already.\n"
    with pytest.raises(SecretError):
        run("run.b")


def test_runs_can_be_named(root: Path, run: Run, service: Depot, tmp_path: Path) -> None:
    assert run("run.?", "run.langs", "--out", str(tmp_path / "there"), "--parallelism", "1")[0] == 0
    names = sorted(path.name for path in (tmp_path / "there").iterdir() if path.name[0] != ".")
    assert names == ["run.a", "run.b", "run.langs.de"]
    assert not (root / "outputs").exists()


def test_one_that_is_named_and_has_no_files_is_a_failure(run: Run, service: Depot) -> None:
    service.add("r-working", {"x.txt": b"done"})  # it has SUCCEEDED meanwhile
    code, out, err = run("run.failed", "run.new", "run.working", "run.a")
    assert code == 1
    assert "error: run.failed: its run is FAILED, so it has no files" in err
    assert "error: run.new: it has no run yet" in err
    assert "run.working: fetched 1 file, 4 B" in out
    assert "Download incomplete: 2 runs fetched (3 files, 8 B), 2 failed (run.failed, run.new)." in out
    assert run("run.w*", "run.f*", "run.n*")[0] == 0


def test_a_name_that_is_none_gets_a_guess(run: Run) -> None:
    with pytest.raises(UsageError, match=r"run\.langs\[de\]x names no recorded run.*Did you mean run\.langs"):
        run("run.langs[de]x")
    assert run("run.langs[de]")[0] == 0


def test_a_run_that_is_gone_fails_only_where_it_was_named(root: Path, run: Run, service: Depot) -> None:
    store = open_sqlite(root / ".reconciler" / "state.db", base_url=service.url)
    record(store, "run.gone", "r-gone", gone_at=T0)
    store.close()
    code, out, _ = run()
    assert code == 0
    assert "run.gone: skipped: run r-gone is gone from the service" in out
    code, _, err = run("run.gone")
    assert code == 1
    assert "gone from the service, and its files with it" in err


def test_quiet_says_what_went_wrong_alone(run: Run, service: Depot) -> None:
    service.runs["r-b"]["generated_files"][0]["path"] = "/etc/cron.d/x\x1b[2J"
    code, out, err = run(quiet=True)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "error: run.b: refused, nothing of it is written: the name '/etc/cron.d/x\\x1b[2J'" in err


def test_without_a_state_there_is_nothing(root: Path, run: Run) -> None:
    (root / ".reconciler" / "state.db").unlink()
    assert run() == (0, "Nothing to download.\n", "")
    with pytest.raises(UsageError, match="no state yet"):
        run("run.a")


def test_a_folder_that_can_not_be_written_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReconcilerError, match="--out"):
        run("--out", str(tmp_path / "file" / "below"))


def test_what_is_unknown_has_no_run(root: Path, service: Depot) -> None:
    store = open_sqlite(root / ".reconciler" / "state.db", base_url=service.url)
    lost = attempt("lost", "run.lost", phase=Phase.UNKNOWN)
    store.commit([Put(lost), Put(instance("run.lost", None))])
    chosen = choose(store.snapshot(), ["run.lost"])
    store.close()
    assert (chosen.attempts, [type(one).__name__ for one in chosen.skipped]) == ((), ["Failed"])


# -- cut short -----------------------------------------------------------------------------------------------------

LARGE = bytes(range(256)) * 2**15  # 8 MiB


def start(root: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", "-C", str(root), *args],
        cwd=ROOT,
        env={**os.environ, "DATAFRAMER_API_KEY": KEY, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def durable(staged: Path) -> int:
    """How many bytes of a file that is not whole are certainly on the disk."""
    return max((json.loads(one.read_bytes())["durable"] for one in staged.glob("parts/*.json")), default=0)


def slowly(service: Depot) -> None:
    """The large file stops in the middle for ever, the first time."""

    def storage(get: Get) -> Said | None:
        if not get.path.endswith("/f1") or get.number:
            return None
        good = ranged(LARGE, get.headers)
        return Said(200, LARGE[: 5 * 2**20], {**good.headers, "content-length": str(len(LARGE))})

    service.storage = storage


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_process_that_ends_in_the_middle_leaves_what_the_next_one_goes_on_with(
    root: Path, run: Run, service: Depot, number: signal.Signals, code: int
) -> None:
    store = open_sqlite(root / ".reconciler" / "state.db", base_url=service.url)
    record(store, "run.large", "r-large")
    store.close()
    service.add("r-large", {"large.bin": LARGE, "small.txt": b"small"})
    slowly(service)
    process = start(root, "-vv", "download", "run.large")
    staged = root / "outputs" / ".run.large@r-large.partial"
    try:
        until = time.monotonic() + 80
        while not ((staged / "files" / "small.txt").exists() and durable(staged) >= 4 * 2**20):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code
    assert SIGNATURE not in out + err
    assert "Traceback" not in err
    assert sorted(path.name for path in (root / "outputs").iterdir()) == [".download.lock", staged.name]
    there = durable(staged)
    service.storage = lambda get: None
    asked = len(service.headers)
    assert run("run.large")[0] == 0
    assert files(root / "outputs") == {"run.large/files/large.bin": LARGE, "run.large/files/small.txt": b"small"}
    later = [head for head in service.headers[asked:] if head["path"].startswith("/storage/")]
    assert [head["path"] for head in later] == ["/storage/r-large/f1"]
    assert later[0]["range"] == f"bytes={there}-"


def test_two_downloads_into_one_folder_do_not_meet(root: Path, run: Run) -> None:
    from reconciler.downloading.shelf import shelf

    with shelf(root / "outputs"), pytest.raises(UsageError, match="Another download into"):
        run("run.a")
    assert run("run.a")[0] == 0
