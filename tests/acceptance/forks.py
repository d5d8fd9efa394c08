"""The command line as forks of one process that has imported everything: a command then costs 0.05 s, not 0.6 s.

A fork is a process like any other: its own environment, folder, streams, signals, exit code. What it does not show is
whether each module imports what it uses, and imports it only when it is needed: ``test_imports_are_lazy``, the examples
of the help, the tutorial and whatever a test starts and leaves running begin from nothing. With
``RECONCILER_TEST_FRESH=1`` every command does.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
REAL = [sys.executable, "-m", "reconciler"]
_LENGTH = struct.Struct("!I")
# Imported by the commands when they are needed, or by these libraries.
_THEIRS = (
    "deepdiff",
    "getpass",
    "httpcore",
    "httpx",
    "platformdirs",
    "psycopg",
    "pydantic",
    "rich.live",
    "sqlite_utils",
)


def can_fork(command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a fork does the same: ``python -m reconciler …``, with nothing else for Python to read at its start."""
    # On macOS, libraries of the system may not be used in a fork.
    fresh = bool(os.environ.get("RECONCILER_TEST_FRESH")) or sys.platform != "linux"
    return not fresh and list(command[:3]) == REAL and _at_start(env) == _at_start(_environment())


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    """What Python and the C library look at when a process starts."""
    return {
        name: value
        for name, value in env.items()
        if name in ("LANG", "TZ") or (name.startswith(("PYTHON", "LC_")) and name != "PYTHONDONTWRITEBYTECODE")
    }


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
    return kept | {"PYTHONPATH": str(ROOT)}


class Forks:
    """The process, and what it is told. May be used by several threads at once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            words = [sys.executable, "-m", "tests.acceptance.forks", str(theirs.fileno())]
            self._mother = subprocess.Popen(words, cwd=ROOT, env=_environment(), pass_fds=[theirs.fileno()])

    def close(self) -> None:
        """End the process; commands that still run are left alone."""
        self._socket.close()
        self._mother.wait()

    def run(
        self, args: Sequence[str], env: Mapping[str, str], folder: Path, given: str, seconds: float, host: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in ``folder``, with ``given`` as its standard input. ``host``: a machine's name for
        it alone, which takes root on Linux.

        Raises subprocess.TimeoutExpired; it is killed then.
        """
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            stdin.write(given.encode())
            stdin.seek(0)
            streams = [stdin.fileno(), out.fileno(), err.fileno()]
            code = self.wait(args, self.start(args, env, folder, streams, host), seconds)
            return subprocess.CompletedProcess([*REAL, *args], code, _text(out), _text(err))

    def start(
        self, args: Sequence[str], env: Mapping[str, str], folder: Path, streams: Sequence[int], host: str = ""
    ) -> int:
        """Start a command with these descriptors as its streams. What ``wait`` needs."""
        order = json.dumps({"args": args, "env": dict(env), "cwd": str(folder), "host": host}).encode()
        told, tell = os.pipe()
        try:
            with self._guard:
                socket.send_fds(self._socket, [_LENGTH.pack(len(order))], [*streams, tell])
                self._socket.sendall(order)
        finally:
            os.close(tell)
        return told

    def wait(self, args: Sequence[str], told: int, seconds: float) -> int:
        """The exit code of what was started. Raises subprocess.TimeoutExpired; it is killed then."""
        with os.fdopen(told, "rb", buffering=0) as answers:
            pid = int(answers.readline())
            if not select.select([answers], [], [], seconds)[0]:
                os.kill(pid, signal.SIGKILL)
                answers.readline()
                raise subprocess.TimeoutExpired([*REAL, *args], seconds)
            return int(answers.readline())


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode().replace("\r\n", "\n").replace("\r", "\n")  # as subprocess does it


@cache
def forks() -> Forks:
    """Those of this process."""
    made = Forks()
    atexit.register(made.close)
    return made


# The process itself


class _Mother:
    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._children: dict[int, int] = {}  # pid: where its exit code goes
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._waking, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until whoever gives the orders is gone."""
        chooser = selectors.DefaultSelector()
        chooser.register(self._orders, selectors.EVENT_READ, self._order)
        chooser.register(self._woken, selectors.EVENT_READ, self._reap)
        while all(key.data() for key, _ in chooser.select()):
            pass

    def _order(self) -> bool:
        head, handles, _, _ = socket.recv_fds(self._orders, _LENGTH.size, 4)
        if not head:
            return False
        left, parts = _LENGTH.unpack(head)[0], []
        while left:
            parts.append(self._orders.recv(left))
            left -= len(parts[-1])
        order = json.loads(b"".join(parts))
        tell = handles.pop()
        pid = os.fork()
        if pid == 0:
            self._become(order, handles, tell)
        for handle in handles:
            os.close(handle)
        os.write(tell, f"{pid}\n".encode())
        self._children[pid] = tell
        return True

    def _reap(self) -> bool:
        os.read(self._woken, 4096)
        for pid, tell in list(self._children.items()):
            if (ended := os.waitpid(pid, os.WNOHANG))[0]:
                del self._children[pid]
                os.write(tell, f"{os.waitstatus_to_exitcode(ended[1])}\n".encode())
                os.close(tell)
        return True

    def _become(self, order: Mapping[str, Any], handles: Sequence[int], tell: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, handle in enumerate(handles):
            os.dup2(handle, number)
        for handle in (*handles, tell, self._woken, self._waking, *self._children.values()):
            os.close(handle)
        self._orders.close()
        if order["host"]:
            clone_newuts = 0x04000000
            if ctypes.CDLL(None, use_errno=True).unshare(clone_newuts):
                raise OSError(ctypes.get_errno(), "unshare")
            socket.sethostname(order["host"])
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["env"])
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 as Python opens them
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.argv = ["reconciler", *order["args"]]
        from reconciler.cli.main import main

        try:
            main()
        except SystemExit as leaving:
            # As the interpreter leaves, except that it takes nothing apart: in a fork, that is most of the work.
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(leaving.code or 0))
        raise AssertionError("the command line returned")


def _import_all() -> None:
    for name in ("reconciler", "state"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in _THEIRS:
        importlib.import_module(name)
    gc.freeze()


if __name__ == "__main__":
    _import_all()
    _Mother(socket.socket(fileno=int(sys.argv[1]))).serve()
