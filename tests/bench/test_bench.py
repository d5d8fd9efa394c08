"""Every path of the benchmark does its work at a tiny size, and what it measures is real; no time is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import PATHS, main
from tests.bench.account import Service
from tests.bench.launch import Clock
from tests.bench.projects import declare
from tests.bench.running import CommandFailed, product, program, run

HALVES = [["start", "validate", "offline", "refresh"], ["first", "changed", "apply", "large", "follow"]]
pytestmark = pytest.mark.timeout(200)


def test_every_path_is_tried() -> None:
    assert [path for half in HALVES for path in half] == list(PATHS)


@pytest.mark.parametrize("paths", HALVES)
def test_the_paths_do_what_they_say(paths: list[str], tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    assert main(["--quick", "--json", str(kept), "--only", *paths]) == 0
    figures = json.loads(kept.read_text("utf-8"))["figures"]
    assert list(dict.fromkeys(figure["path"] for figure in figures)) == paths
    assert all(min(figure["ours"]) >= 0 and len(figure["ours"]) == 1 for figure in figures)
    counted = {figure["what"]: figure["ours"][0] for figure in figures}
    assert {what for what, most in AT_MOST.items() if counted.get(what, most) not in range(1, most + 1)} == set()


AT_MOST = {
    "requests of a plan with refresh, 40 runs": 1,
    "requests of a plan that sees a cancel from outside, 40 runs": 1,
    "apply of 20 at 4 at once, connections for them": 4,
    "following 40 runs for 0.6 s, requests a look": 1,
}


def test_a_command_that_fails_or_says_something_else_is_no_sample(tmp_path: Path) -> None:
    with Service() as service:
        project = declare(tmp_path, service.url, 8)
        with pytest.raises(CommandFailed, match="gave 1"):
            run(product(project.root, "nonsense"), project.env)
        (project.root / "reconciler.toml").write_text("[run.x]\nspec = 1\n", "utf-8")
        with pytest.raises(CommandFailed, match="gave 1"):
            run(program("floor", "validate", str(project.root)), project.env)


def test_the_clock_sees_every_step_of_a_submission() -> None:
    """A patched store must be the one that commands use, and its steps those that are timed."""
    from state.records import Phase
    from state.writes import Advance

    clock, said = Clock(0.0), []
    clock._commit = lambda store, writes: said.append(writes) or len(said)
    for phase in (Phase.PREPARED, Phase.SENDING, Phase.SENDING, Phase.ACCEPTED):
        clock.commit(None, [Advance("a", phase, "now")])
    assert clock.first is not None
    assert clock.last > clock.first
    assert (clock.commits, len(said)) == (4, 4)
