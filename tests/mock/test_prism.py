"""Prism serves the OpenAPI document; it validates what we send, and answers from the document's examples."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.dataframer.client import Client
from reconciler.dataframer.outcomes import Accepted, Rejected
from reconciler.dataframer.transport import HttpTransport
from reconciler.model.run import RunStatus

pytestmark = pytest.mark.timeout(420)  # the first test waits for the installation

DOCUMENT = Path(__file__).parent.parent / "data" / "openapi.yaml"
PRISM = "@stoplight/prism-cli@5"
START_SECONDS = 60.0
RUN = "aaaaaaaa-0000-4000-8000-000000000001"
SPEC = "11111111-2222-4333-8444-555555555555"


def installed(folder: Path) -> Path:
    """Prism's command, installed into the cache folder once; other workers of the same session wait for it."""
    command, finished = folder / "node_modules" / ".bin" / "prism", folder / "finished"
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Prism needs node and npm")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if finished.exists():
            return command
        options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(
                [npm, "install", *options, PRISM], capture_output=True, text=True, timeout=300, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip("Prism can't be installed here: npm took more than 5 minutes")
        if done.returncode != 0 or not command.exists():
            pytest.skip(f"Prism can't be installed here: {done.stderr[-300:]}")
        finished.touch()
    return command


@pytest.fixture(scope="session")
def client(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    cache = pytestconfig.cache
    assert cache is not None
    command = installed(cache.mkdir("prism"))
    log = tmp_path_factory.mktemp("prism") / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(command), "mock", "--errors", "--host", "127.0.0.1", "--port", "0", str(DOCUMENT)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        made = Client(HttpTransport(address(server, log), lambda: "any"))
        yield made
        made.close()
    finally:
        server.kill()
        server.wait()


def address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Where Prism listens, once it says so: it picks a free port by itself."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", log.read_text("utf-8", errors="replace"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"Prism did not start:\n{log.read_text('utf-8', errors='replace')}")


def test_what_we_send_is_valid_and_its_answer_is_a_run(client: Client) -> None:
    body = {
        "spec_id": SPEC,
        "number_of_samples": 5,
        "generation_model": "anthropic/claude-haiku-4-5",
        "revision_types": ["consistency"],
        "tools": [],
    }
    outcome = client.create_run(body, 10.0)
    assert isinstance(outcome, Accepted)
    assert outcome.run.id == RUN


def test_what_the_document_forbids_is_refused(client: Client) -> None:
    outcome = client.create_run({"spec_id": SPEC, "number_of_samples": 20_001}, 10.0)
    assert isinstance(outcome, Rejected)
    assert outcome.status == 422


def test_list_and_get(client: Client) -> None:
    listing = client.list_runs()
    assert [run.status for run in listing.runs] == [RunStatus.PROCESSING, RunStatus.SUCCEEDED]
    run = client.get_run(RUN)
    assert run is not None
    assert run.runtime_params is not None
    assert run.runtime_params["number_of_samples"] == 50
    assert run.generated_files is not None


def test_cancel_and_delete(client: Client) -> None:
    stopped = client.cancel_run(RUN)
    assert stopped is not None
    client.delete_run(RUN)


def test_specs(client: Client) -> None:
    assert [spec.name for spec in client.list_specs()] == ["Support tickets"]
    spec = client.get_spec(SPEC)
    assert spec is not None
    assert not spec.seeded
    assert spec.content_sha256 is not None
