"""Children of a benchmark: one command as a whole process, its time, its processor time and its peak memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk_bench"
_SAID = 4_000  # bytes
_KIBIBYTES = 1024**2 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Spent:
    """What one command cost: ``ms`` on the wall, ``cpu`` seconds, ``mb`` of resident memory at its peak."""

    ms: float
    cpu: float
    mb: float
    said: str = ""  # standard output, its begin or its end


class CommandFailed(RuntimeError):
    """A command that is measured ended otherwise than it must."""


def environment(home: Path) -> dict[str, str]:
    """Of a person at a shell: bytecode is kept, nothing of the developer's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "DATAFRAMER_API_KEY": KEY,
        "NO_COLOR": "1",
    }


def product(root: Path | None, *words: str) -> list[str]:
    """A command line of the product, on a project."""
    return [sys.executable, "-m", "reconciler", *(("-C", str(root)) if root else ()), *words]


def program(name: str, *words: str) -> list[str]:
    """A command line of a program of this folder that imports nothing else of it."""
    return [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *words]


def module(name: str, *words: str) -> list[str]:
    """A command line of a module of this folder."""
    return [sys.executable, "-m", f"tests.bench.{name}", *words]


def peak(used: resource.struct_rusage) -> float:
    """The most resident memory of a process that ended, in MB."""
    return used.ru_maxrss / _KIBIBYTES


def run(line: Sequence[str], env: Mapping[str, str], expected: Collection[int] = (0,), tail: bool = False) -> Spent:
    """Run a command to its end. Raises CommandFailed for another exit code. ``tail``: the end of what it says.

    The kernel's account of a peak begins with the memory of the process that starts the command: whoever measures has
    to stay small, and a peak below his own is not seen.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        child = subprocess.Popen(line, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, used = os.wait4(child.pid, 0)
        ms = (time.perf_counter() - begin) * 1000
        child.returncode = os.waitstatus_to_exitcode(status)
        size = out.seek(0, os.SEEK_END)
        out.seek(max(0, size - _SAID) if tail else 0)
        err.seek(0)
        if child.returncode not in expected:
            said = (err.read(2_000) or out.read(2_000)).decode("utf-8", "replace")
            raise CommandFailed(f"{' '.join(line)} gave {child.returncode}: {said}")
        said = out.read(_SAID).decode("utf-8", "replace")
    return Spent(ms, used.ru_utime + used.ru_stime, peak(used), said)
