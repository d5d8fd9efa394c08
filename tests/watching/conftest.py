"""Prometheus' own tool for checks, from the PATH, else, on Debian and its kin, from the package, which is unpacked and
not installed.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def promtool(request: pytest.FixtureRequest) -> str:
    found = shutil.which("promtool")
    if found is not None:
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("promtool is not installed")
    folder = request.config.cache.mkdir("promtool")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "finished").exists():
            _unpack(folder)
            (folder / "finished").touch()
    return str(folder / "usr" / "bin" / "promtool")


def _unpack(folder: Path) -> None:
    try:
        subprocess.run(
            ["apt-get", "download", "--quiet", "prometheus"], cwd=folder, check=True, capture_output=True, timeout=200
        )
        (package,) = folder.glob("prometheus_*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True, capture_output=True)
    except (subprocess.SubprocessError, OSError, ValueError) as problem:
        pytest.skip(f"promtool is not installed, and its package can't be had: {problem}")
    package.unlink()
    (folder / "usr" / "bin" / "prometheus").unlink()
