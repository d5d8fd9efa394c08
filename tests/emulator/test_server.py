"""The emulator over real HTTP on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import parse
from reconciler.dataframer.emulator.life import Pace
from reconciler.dataframer.emulator.server import EmulatorServer
from reconciler.dataframer.emulator.specs import SUPPORT_TICKETS
from tests.emulator.api import RUNS

BODY = {"spec_id": SUPPORT_TICKETS, "number_of_samples": 3}
QUICK = Pace(pending=0.02, shortest=0.05, per_sample=0, cancelling=0, packing=0.02, grading=0.02)


@contextmanager
def serving(database: Path, faults: str = "") -> Iterator[EmulatorServer]:
    emulator = Emulator(database, pace=QUICK, faults=parse(faults))
    with EmulatorServer(emulator) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            emulator.close()


@contextmanager
def calling(server: EmulatorServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": "Bearer any"}, trust_env=False) as caller:
        yield caller


def test_a_run_from_create_to_download(database: Path) -> None:
    with serving(database) as server, calling(server) as caller:
        made = caller.post(RUNS, json=BODY)
        assert made.status_code == 201
        run_id = made.json()["id"]
        deadline = time.monotonic() + 10
        while caller.get(f"{RUNS}{run_id}/").json()["status"] != "SUCCEEDED":
            assert time.monotonic() < deadline
        while (link := caller.get(f"{RUNS}{run_id}/files/download/")).status_code == 202:
            assert time.monotonic() < deadline
        url = link.json()["download_url"]
        assert url.startswith(server.url)
        content = httpx.get(url, trust_env=False)
        part = httpx.get(url, headers={"range": "bytes=10-"}, trust_env=False)
        assert content.content[:2] == b"PK"
        assert (part.status_code, part.content) == (206, content.content[10:])
        assert caller.delete(f"{RUNS}{run_id}/").status_code == 204
        assert caller.get(RUNS).json() == []


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic abc"])
def test_a_key_is_needed(database: Path, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    with serving(database) as server:
        answer = httpx.post(f"{server.url}{RUNS}", json=BODY, headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["error"]
        with calling(server) as caller:
            assert caller.get(RUNS).json() == []


def test_connections_are_kept_alive(database: Path) -> None:
    with serving(database) as server, calling(server) as caller:
        ports = set()
        for _ in range(5):
            with caller.stream("GET", RUNS) as answer:
                ports.add(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
                answer.read()
    assert len(ports) == 1


def test_only_loopback_is_listened_on(database: Path) -> None:
    with serving(database) as server:
        assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(("faults", "made"), [("drop_before@1", 0), ("refuse@1", 0), ("drop_after@1", 1)])
def test_a_dropped_connection_is_seen_as_one(database: Path, faults: str, made: int) -> None:
    with serving(database, faults) as server, calling(server) as caller:
        with pytest.raises(httpx.RemoteProtocolError):
            caller.post(RUNS, json=BODY)
        assert len(caller.get(RUNS).json()) == made


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: many\r\n", b"400"),
        (b"Content-Length: 99999999\r\n", b"413"),
    ],
)
def test_bodies_of_unknown_or_absurd_length_are_refused(database: Path, head: bytes, status: bytes) -> None:
    with (
        serving(database) as server,
        socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection,
    ):
        connection.sendall(b"POST /api/dataframer/runs/ HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_a_burst_of_clients(database: Path) -> None:
    with serving(database) as server:

        def work(_: int) -> list[str]:
            with calling(server) as caller:
                return [caller.post(RUNS, json=BODY).json()["id"] for _ in range(10)]

        with ThreadPoolExecutor(8) as pool:
            ids = [run_id for made in pool.map(work, range(8)) for run_id in made]
        with calling(server) as caller:
            assert {run["id"] for run in caller.get(RUNS).json()} == set(ids)
    assert len(set(ids)) == 80
