"""Prism serves the OpenAPI document; it validates what we send, and answers from the document's examples."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.dataframer.client import Client
from reconciler.dataframer.outcomes import Accepted, Rejected
from reconciler.dataframer.transport import HttpTransport
from reconciler.model.run import RunStatus

DOCUMENT = Path(__file__).parent.parent / "data" / "openapi.yaml"
PRISM = "@stoplight/prism-cli@5"
RUN = "aaaaaaaa-0000-4000-8000-000000000001"
SPEC = "11111111-2222-4333-8444-555555555555"


def installed(folder: Path) -> Path:
    """Prism's command, installed into the cache folder once."""
    command = folder / "node_modules" / ".bin" / "prism"
    if command.exists():
        return command
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Prism needs node and npm")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run([npm, "install", *options, PRISM], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0 or not command.exists():
        pytest.skip(f"Prism can't be installed here: {done.stderr[-300:]}")
    return command


@pytest.fixture(scope="module")
def client(pytestconfig: pytest.Config) -> Iterator[Client]:
    cache = pytestconfig.cache
    assert cache is not None
    command = installed(cache.mkdir("prism"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [str(command), "mock", "--host", "127.0.0.1", "--port", str(port), str(DOCUMENT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        made = Client(HttpTransport(f"http://127.0.0.1:{port}", lambda: "any"))
        yield made
        made.close()
    finally:
        server.kill()
        server.wait()


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Prism did not start")


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
