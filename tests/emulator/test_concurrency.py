"""Many threads may create runs at once, in process and over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from reconciler.dataframer.emulator.core import Emulator
from tests.emulator.api import RUNS, Api


def test_eight_threads_make_four_hundred_runs(emulator: Emulator) -> None:
    def work(_: int) -> list[str]:
        api = Api(emulator)
        return [api.create(1) for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        ids = [run_id for made in pool.map(work, range(8)) for run_id in made]
    assert len(set(ids)) == 400
    assert {run["id"] for run in Api(emulator).get(RUNS).json} == set(ids)
