"""Prometheus' own parser and linter read ``/metrics``."""

from __future__ import annotations

import subprocess

import httpx
import pytest

from reconciler.watching.consent import Caps
from reconciler.watching.happenings import Applied, Passed, Stumbled
from reconciler.watching.metrics import Metrics
from reconciler.watching.server import Server
from reconciler.watching.status import Mode, Part, Planned, Spent, Status, Suspended, Trouble
from tests.watching.test_http import _Recorded

pytestmark = pytest.mark.timeout(300)  # the first test may wait for a download of 20 MB

STATUS = Status(
    Mode.APPLY,
    'a"b\\c\nd{e="f"} 1\n# HELP x',
    leader=True,
    revision="c1",
    troubles={Part.GIT: Trouble("gone", "2026-01-01", 3)},
    planned=Planned("sha256:1", {"create": 2}, unmet=1, drift=2),
    runs={"SUCCEEDED": 3, "a word of tomorrow": 1},
    spent=Spent(1, 2, 0.1 + 0.2),
    suspended=(Suspended("", "why", "me", "2026-01-01"),),
    last_success="2026-01-01T00:00:00.000Z",
)


def checked(promtool: str, text: bytes) -> tuple[int, str]:
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def exposed() -> bytes:
    """What a scrape of a server gets."""
    metrics = Metrics(lambda: STATUS, Caps(runs=1, samples=2, cost=3.0), lambda: 7)
    for happened in (
        Passed("applied", 2.0), Applied("c1", "sha256:1", {"create": 3}), Stumbled(Part.SERVICE, "new", "m", 1, 1.0)
    ):  # fmt: skip
        metrics(happened)
    with Server(("127.0.0.1", 0), lambda: STATUS, lambda: True, metrics, _Recorded(), None) as server:
        answer = httpx.get(f"{server.url}/metrics", trust_env=False)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.content


def test_prometheus_reads_it_and_has_nothing_to_say(promtool: str) -> None:
    text = exposed()
    assert b"reconciler_webhook_dropped_total 7.0\n" in text
    assert checked(promtool, text) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'{kind="create"} 3.0', b'{kind="create} 3.0', "text format parsing error"),
        (b"reconciler_leader 1.0", b"reconciler_leader one", "text format parsing error"),
        (b"reconciler_actions_total", b"reconciler_actions_done", 'counter metrics should have "_total" suffix'),
        (b"# HELP reconciler_leader", b"# WORDS reconciler_leader", "no help text"),
    ],
    ids=["a label without its end", "no number", "a counter with another name", "no help"],
)
def test_it_would_tell_what_is_wrong(promtool: str, old: bytes, new: bytes, said: str) -> None:
    text = exposed()
    assert old in text
    code, told = checked(promtool, text.replace(old, new))
    assert (code != 0, said in told) == (True, True)
