"""The real PgBouncer, where it is installed: a process of the tests' own, as the user that servers run as."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import Self
from urllib.parse import urlsplit

from tests.postgres.folder import own, shared_folder, unprivileged
from tests.postgres.pooler import Mode
from tests.postgres.server import PATIENCE, free_ports


def installed() -> str | None:
    """Where it is; distributions put it where only root looks."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")


class PgBouncer:
    """PgBouncer before the server of ``url``, asking nobody for a password. Use it in a ``with``."""

    def __init__(self, url: str, *, mode: Mode = "transaction", **settings: str) -> None:
        program = installed()
        assert program is not None, "PgBouncer is not installed"
        parts = urlsplit(url)
        self.port = free_ports(1)[0]
        folder = shared_folder().make("pgbouncer")
        users = folder / "users"
        users.write_text(f'"{parts.username}" ""\n')
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": str(users),
            "pool_mode": mode,
            **settings,
        }
        config = folder / "pgbouncer.ini"
        lines = [f"{name} = {value}\n" for name, value in options.items()]
        databases = f"[databases]\n* = host={parts.hostname} port={parts.port}\n"
        config.write_text(databases + "[pgbouncer]\n" + "".join(lines))
        for path in (users, config):
            own(path)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
                **unprivileged(),
            )
        self.url = parts._replace(netloc=f"{parts.username}@{parts.hostname}:{self.port}").geturl()
        self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < until:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.005)
        self.__exit__()
        raise RuntimeError(f"PgBouncer did not start:\n{self.log()}")
