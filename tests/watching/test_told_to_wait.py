"""A service that asks for a long wait gets it, and the controller goes on with the rest meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.applying.interruption import Interruption
from reconciler.watching import loop
from reconciler.watching.backoff import Pace
from reconciler.watching.happenings import Happening, Stumbled
from reconciler.watching.status import Part
from tests.campaign.faults import Moody
from tests.service import answers
from tests.service.server import Reply
from tests.watching.test_standing_by import desk, replica


@pytest.fixture
def service() -> Iterator[Moody]:
    with Moody(polls=None) as running:
        yield running


def test_a_read_that_is_to_be_tried_again_much_later_is_not_waited_for(tmp_path: Path, service: Moody) -> None:
    heard = list[Happening]()
    controller = replica(tmp_path, "one", desk(tmp_path, service.url), heard)
    service.mood = lambda request: Reply(503, b"busy", {"Retry-After": "240"})
    controller._pass()
    (stumbled,) = [one for one in heard if isinstance(one, Stumbled)]
    assert (stumbled.part, stumbled.kind, stumbled.again) == (Part.SERVICE, "ServiceRefused", 240.0)
    assert len(service.requests) == 1
    controller._pass()
    assert len(service.requests) == 1
    controller._resign()


def test_the_loop_lives_while_purchases_are_to_wait(
    tmp_path: Path, service: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "ALIVE_SECONDS", 0.9)
    stop = Interruption()
    controller = replica(tmp_path, "one", desk(tmp_path, service.url), [], Pace(0.1, first=0.01), stop)
    service.script_create(answers.slow_down("240"))
    thread = threading.Thread(target=controller.run)
    thread.start()
    try:
        service.wait_for(lambda: len(service.creates) == 1)
        until = time.monotonic() + 2.5 * (loop.ALIVE_SECONDS + 0.1)
        assert never(lambda: not controller.alive(), until)
    finally:
        stop.reason = "the test ends"
        thread.join(10)
    assert not thread.is_alive()
    assert len(service.creates) == 1


def never(condition: Callable[[], bool], until: float) -> bool:
    while time.monotonic() < until:
        if condition():
            return False
        time.sleep(0.01)
    return True
