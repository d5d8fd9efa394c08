"""Paths of an apply: submissions of one wave with a durable journal, memory, and following."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

import psutil

from tests.bench.account import Facts
from tests.bench.figures import Figure, Goal
from tests.bench.harness import Bench, memory, within
from tests.bench.projects import Project
from tests.bench.running import CommandFailed, Spent, environment, module, peak, product, program, run

_APPLY = ("apply", "--auto-approve", "--no-wait")
_LARGE_MB, _CPU_PERCENT = 200, 5.0
_START_SECONDS = 120.0  # until an apply follows


@dataclass(frozen=True, slots=True)
class Applied:
    """One apply. ``seconds``: from the first SENDING to the last ACCEPTED."""

    seconds: float
    commits: int
    facts: Facts
    spent: Spent


def applying(bench: Bench) -> None:
    """``apply --no-wait`` of new runs, a narrow and a wide one, beside the ideal and beside the SDK."""
    narrow, middle, wide = bench.scale.widths
    count, sync = bench.scale.applied, bench.scale.sync

    def title(width: int) -> str:
        return f"apply of {count:,} at {width} at once"

    mine, script = bench.turns(partial(_apply, bench, narrow), partial(_script, bench, narrow))
    took, theirs = _seconds(mine), tuple(script)
    bench.record.add(
        Figure("apply", title(narrow), "s", took, "ideal", _ideal(bench, narrow), Goal(1.10)),
        Figure("apply", title(narrow), "s", took, "SDK, asyncio", theirs, Goal(1.0)),
        Figure("apply", f"{title(narrow)}, peak memory", "MB", memory([one.spent for one in mine])),
    )
    mine, slow, between, script = bench.turns(
        partial(_apply, bench, wide),
        partial(_apply, bench, wide, sync),
        partial(_apply, bench, middle),
        partial(_script, bench, wide),
    )
    took, theirs = _seconds(mine), tuple(script)
    ideal = _ideal(bench, wide)
    bench.record.add(
        Figure("apply", title(wide), "s", took, "ideal", ideal, Goal(1.5)),
        Figure("apply", title(wide), "s", took, "SDK, asyncio", theirs),
        Figure(
            "apply",
            f"{title(wide)}, commits {sync * 1000:g} ms slower",
            "s",
            _seconds(slow),
            "ideal",
            ideal,
            Goal(1.75),
        ),
        Figure("apply", f"{title(wide)}", "s", took, f"at {middle} at once", _seconds(between), Goal(1.0)),
        Figure("apply", f"{title(wide)}, connections for them", "", _creating(mine), goal=within(wide)),
        Figure("apply", f"{title(wide)}, connections in all", "", tuple(float(one.facts.connections) for one in mine)),
        Figure("apply", f"{title(wide)}, commits of the journal", "", tuple(float(one.commits) for one in mine)),
        Figure("apply", f"{title(wide)}, peak memory", "MB", memory([one.spent for one in mine])),
    )


def large(bench: Bench) -> None:
    """The memory of an apply of many new runs."""
    wide, count = bench.scale.widths[-1], bench.scale.large
    samples = [_apply(bench, wide, runs=count, latency=0.0) for _ in range(bench.record.rounds)]
    what = f"apply of {count:,} at {wide} at once, no latency"
    bench.record.add(
        Figure("large", what, "s", _seconds(samples)),
        Figure("large", f"{what}, peak memory", "MB", memory([one.spent for one in samples]), goal=within(_LARGE_MB)),
    )


def follow(bench: Bench) -> None:
    """``apply`` that follows many runs at work: requests, processor, memory."""
    project = bench.recorded(bench.scale.large, working=bench.scale.large)
    samples = [_follow(bench, project) for _ in range(bench.record.rounds)]
    what = f"following {project.runs:,} runs for {bench.scale.followed:g} s"
    bench.record.add(
        Figure("follow", f"{what}, requests a look", "", tuple(one.requests for one in samples), goal=within(1)),
        Figure("follow", f"{what}, looks", "", tuple(one.looks for one in samples)),
        Figure("follow", f"{what}, of a core", "%", tuple(one.cpu for one in samples), goal=within(_CPU_PERCENT)),
        Figure("follow", f"{what}, peak memory", "MB", tuple(one.mb for one in samples), goal=within(_LARGE_MB)),
    )


# One of each


def _apply(bench: Bench, at_once: int, sync: float = 0.0, runs: int = 0, latency: float | None = None) -> Applied:
    """A new project, all of it bought."""
    runs = runs or bench.scale.applied
    project = bench.declared(runs, at_once=at_once)
    bench.service.set_up(bench.scale.latency if latency is None else latency)
    measured = project.home / "measured.json"
    spent = run(module("launch", str(measured), str(sync), "-C", str(project.root), *_APPLY), project.env)
    facts = bench.service.facts()
    found = json.loads(measured.read_text("utf-8"))
    if facts.requests.get("create") != runs or facts.most_at_once > at_once:
        raise CommandFailed(f"{runs} runs at {at_once} at once were to be bought: {facts}")
    bench.drop(project)
    return Applied(found["seconds"], found["commits"], facts, spent)


def _script(bench: Bench, at_once: int) -> float:
    """The same with the SDK: seconds."""
    bench.service.set_up(bench.scale.latency)
    words = (bench.service.url, str(bench.scale.applied), str(at_once), str(bench.folder / "sdk.txt"))
    said = run(program("sdk", *words), environment(bench.folder)).said
    if bench.service.facts().runs != bench.scale.applied:
        raise CommandFailed(f"The script bought {bench.service.facts().runs} runs.")
    return float(said)


def _ideal(bench: Bench, at_once: int) -> tuple[float, ...]:
    """Every slot always at work, and nothing costs anything but the latency: seconds, once for each round."""
    return (ceil(bench.scale.applied / at_once) * bench.scale.latency,) * bench.record.rounds


def _seconds(samples: Sequence[Applied]) -> tuple[float, ...]:
    return tuple(one.seconds for one in samples)


def _creating(samples: Sequence[Applied]) -> tuple[float, ...]:
    return tuple(float(one.facts.creating_connections) for one in samples)


@dataclass(frozen=True, slots=True)
class Followed:
    """A while of following: requests for each look at the list, looks, percent of a core, peak memory."""

    requests: float
    looks: float
    cpu: float
    mb: float


def _follow(bench: Bench, project: Project) -> Followed:
    """Start an apply with nothing to buy; from its first look on, watch it for a while; interrupt it."""
    bench.service.set_up(listed=project.listed)
    words = product(project.root, "apply", "--auto-approve")
    with (project.home / "said.txt").open("wb") as said:
        child = subprocess.Popen(words, env=project.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            watched = psutil.Process(child.pid)
            deadline = time.monotonic() + _START_SECONDS
            while len(bench.service.facts().lists_at) < 2:  # the plan's, and the first to follow
                if watched.status() == psutil.STATUS_ZOMBIE or time.monotonic() > deadline:
                    raise CommandFailed(f"The apply does not follow: {(project.home / 'said.txt').read_text()[:1_000]}")
                time.sleep(0.01)
            before, used, begin = bench.service.facts(), watched.cpu_times(), time.monotonic()
            time.sleep(bench.scale.followed)
            after, spent, end = bench.service.facts(), watched.cpu_times(), time.monotonic()
        finally:
            os.kill(child.pid, signal.SIGINT)  # not by Popen, which would wait for one that ended
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
    looks = len(after.lists_at) - len(before.lists_at)
    requests = sum(after.requests.values()) - sum(before.requests.values())
    cpu = max(0.0, spent.user + spent.system - (used.user + used.system)) / (end - begin) * 100
    return Followed(requests / max(looks, 1), looks, cpu, peak(usage))
