"""Every call of the official SDK that concerns runs, files, specs and evaluations, over real HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dataframer
import httpx
import pytest

pytestmark = pytest.mark.timeout(200)
SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
T = TypeVar("T")


class Served:
    """``reconciler emulator serve`` as a process of its own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", "-C", str(folder), "emulator", "serve", "--port", str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens on " in line, "the emulator did not start"
        self.url = line.split("listens on ")[1].split(";")[0]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=10)
        return self.process.returncode


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[Served]:
    server = Served(folder, port)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


def sdk(url: str, key: str = "any") -> dataframer.Dataframer:
    return dataframer.Dataframer(api_key=key, base_url=url, max_retries=0, _strict_response_validation=True)


def eventually(look: Callable[[], T | None], seconds: float = 15.0) -> T:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("did not happen in time")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dataframer.Dataframer]:
    with served(tmp_path_factory.mktemp("emulator")) as server, sdk(server.url) as made:
        yield made


def test_a_run_from_creation_to_its_files(client: dataframer.Dataframer) -> None:
    runs = client.dataframer.runs
    created = runs.create(spec_id=SPEC, number_of_samples=5, generation_model="anthropic/claude-haiku-4-5")
    assert created.status == "PENDING"
    assert runs.list()[0].id == created.id

    def finished() -> object:
        run = runs.retrieve(created.id)
        return run if run.status == "SUCCEEDED" else None

    eventually(finished)
    run = runs.retrieve(created.id)
    assert run.samples_completed == 5
    assert run.runtime_params is not None
    assert run.runtime_params.number_of_samples == 5
    assert run.runtime_params.revision_model is None
    assert run.spec_version == 3

    assert run.generated_files
    first = run.generated_files[0]
    link = runs.files.download(str(first.id), run_id=created.id)
    content = httpx.get(str(link.download_url))
    assert content.status_code == 200
    assert len(content.content) == first.size_bytes

    def packed() -> object:
        archive = runs.files.download_all(created.id)
        return archive if archive.download_url else None

    eventually(packed)
    archive = runs.files.download_all(created.id)
    assert httpx.get(str(archive.download_url)).content[:2] == b"PK"

    evaluation = client.dataframer.evaluations.create(run_id=created.id)
    eventually(lambda: client.dataframer.evaluations.retrieve(str(evaluation.id)).status == "SUCCEEDED")
    assert [item.id for item in runs.evaluations.list(created.id)] == [evaluation.id]

    runs.delete(created.id)
    with pytest.raises(dataframer.NotFoundError):
        runs.retrieve(created.id)


def test_cancel_stops_a_run_and_is_refused_for_one_that_rests(client: dataframer.Dataframer) -> None:
    runs = client.dataframer.runs
    created = runs.create(spec_id=SPEC, number_of_samples=500)
    runs.cancel(created.id)
    eventually(lambda: runs.retrieve(created.id).status == "CANCELED")
    with pytest.raises(dataframer.ConflictError):
        runs.cancel(created.id)


def test_specs_and_seed_datasets(client: dataframer.Dataframer) -> None:
    names = [spec.name for spec in client.dataframer.specs.list()]
    assert "Support tickets" in names
    spec = client.dataframer.specs.retrieve(SPEC, include_versions=True)
    assert spec.versions is not None
    assert len(spec.versions) == 3
    assert client.dataframer.seed_datasets.list()


def test_what_is_wrong_is_a_400_that_names_the_field(client: dataframer.Dataframer) -> None:
    with pytest.raises(dataframer.BadRequestError, match="number_of_samples"):
        client.dataframer.runs.create(spec_id=SPEC, number_of_samples=0)


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text("utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    with served(tmp_path) as server:
        environment = {**os.environ, "DATAFRAMER_BASE_URL": server.url, "DATAFRAMER_API_KEY": "any"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout.startswith(f"SUCCEEDED 5\n{server.url}/")


def test_runs_survive_a_kill(tmp_path: Path) -> None:
    """The same client goes on: the emulator comes back at the same address with the same runs."""
    with served(tmp_path) as first, sdk(first.url) as client:
        runs = client.dataframer.runs
        done = runs.create(spec_id=SPEC, number_of_samples=3)
        eventually(lambda: runs.retrieve(done.id).status == "SUCCEEDED")
        before = runs.retrieve(done.id)
        working = runs.create(spec_id=SPEC, number_of_samples=500)
        eventually(lambda: runs.retrieve(working.id).status == "PROCESSING")
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
        with pytest.raises(dataframer.APIConnectionError):
            runs.list()
        with served(tmp_path, int(first.url.rpartition(":")[2])):
            assert [run.id for run in runs.list()] == [working.id, done.id]
            assert runs.retrieve(done.id) == before
            eventually(lambda: runs.retrieve(working.id).status == "SUCCEEDED")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path) as server:
        assert httpx.get(f"{server.url}/api/dataframer/runs/").status_code == 401
        assert server.end(number) == 0


def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        command = [sys.executable, "-m", "reconciler", "-C", str(tmp_path), "emulator", "serve", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "Traceback" not in done.stderr
