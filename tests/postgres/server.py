"""A PostgreSQL server of the tests' own: started, stopped, killed, frozen, set back to a copy of before.

It listens on 127.0.0.1 only (a Unix socket's path may be 104 bytes long at most), as a process of its own session, so
that Ctrl-C at the tests does not reach it. All it writes is in its folder. ``fsync`` is on, as the product demands.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from tests.postgres import keeper
from tests.postgres.binaries import asked_for, copy_data, programs
from tests.postgres.folder import Folder, shared_folder, unprivileged

if TYPE_CHECKING:
    from tests.postgres.tls import Tls

PATIENCE = 30.0  # seconds until a server that neither answers nor ends is given up
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "full_page_writes": "off",
    "wal_init_zero": "off",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "checkpoint_timeout": "1h",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: nothing is left behind by a kill
    "autovacuum": "off",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
}
_ACCESS = "host all +with_password 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


class Server:
    """One server and its data folder. ``settings`` go to postgresql.conf; ``version``: as ``RECONCILER_TEST_POSTGRES``.

    Roles: ``postgres`` (superuser), ``team`` (ordinary, owns the databases), both without password.
    """

    def __init__(
        self, folder: Folder | None = None, *, settings: Mapping[str, str] | None = None, version: str | None = None
    ) -> None:
        folder = folder or shared_folder()
        self.folder = folder.make("server")
        self.data = self.folder / "data"
        self.settings = {**_SETTINGS, **(settings or {})}
        self.access = _ACCESS  # pg_hba.conf
        self.port = 0
        self._programs = programs(version or asked_for(), folder)
        self._programs.initial_data(self.data)
        self._process: subprocess.Popen[bytes] | None = None
        self._tls: Tls | None = None
        self._numbers = itertools.count(1)

    # Life and death

    @property
    def running(self) -> bool:
        """Whether the postmaster lives, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was never started"
        return self._process.pid

    def start(self) -> None:
        """Start it, and return when it takes connections; a server that runs is left alone. The port stays the same.

        Raises RuntimeError with the server's log when it doesn't come up.
        """
        if self.running:
            return
        for port in [self.port] if self.port else free_ports():
            self._configure(port)
            from_here = len(self.log())
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [self._programs.bin / "postgres", "-D", self.data],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.data,
                    start_new_session=True,
                    **unprivileged(),
                )
            if self._comes_up():
                self.port = port
                return
            said = self.log()[from_here:]
            if self.port or "could not bind" not in said:
                break
        raise RuntimeError(f"PostgreSQL did not start:\n{said}")

    def stop(self) -> None:
        """An orderly end that waits for nobody: open transactions are rolled back (pg_ctl stop -m fast)."""
        if self.running:
            self.thaw()
            self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL for the postmaster and every backend, frozen ones too: as if the machine had lost power."""
        if self._process is not None:
            self._process.kill()  # first, so that it starts no more backends
            self._process.wait()
        keeper.kill_all(self.data)

    def restart(self) -> None:
        """Stop it if it runs, and start it with the present settings."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP for the postmaster and all backends: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        stopped = {self.pid}
        while new := [process.pid for process in keeper.processes_in(self.data) if process.pid not in stopped]:
            for pid in new:
                os.kill(pid, signal.SIGSTOP)
            stopped.update(new)

    def thaw(self) -> None:
        """Undo ``freeze``."""
        for process in keeper.processes_in(self.data):
            process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it in whatever way and remove its folder."""
        if self._tls is not None:
            self._tls.close()
        if self.running:
            self.thaw()
            self._end(signal.SIGQUIT)  # at once, but the server itself frees its shared memory
        keeper.remove(self.folder)

    # Its data

    def copy(self) -> Path:
        """A copy of all its data, made while it is stopped; it runs afterwards if it ran before."""
        ran = self.running
        self.stop()
        kept = self.folder / f"copy-{next(self._numbers)}"
        copy_data(self.data, kept)
        if ran:
            self.start()
        return kept

    def restore(self, kept: Path) -> None:
        """Set it back to a copy: what was committed since is lost, as with a backup. It runs afterwards."""
        self.stop()
        shutil.rmtree(self.data)
        copy_data(kept, self.data)
        self.start()

    def log(self) -> str:
        """All that the server has said since it was made."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    # Using it

    def url(self, database: str = "postgres", user: str = "postgres", password: str | None = None, **query: str) -> str:
        """A URL of it, as the superuser unless told otherwise; ``query`` holds libpq's parameters."""
        return build_url("127.0.0.1", self.port, database, user, password, query)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as superuser, each statement for itself; the rows of the last one, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create_database(self, options: str = "", owner: str = "team", template: str = "template0") -> str:
        """A fresh database, about 25 ms; its name. ``options`` as in CREATE DATABASE (``ENCODING 'LATIN1'``).

        Empty, or a copy of ``template``, on which nobody may have a session meanwhile.
        """
        name = f"database_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} OWNER {owner} TEMPLATE {template} {options}")
        return name

    def drop_database(self, name: str) -> None:
        """Also with clients in it, who are thrown out."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def role(self, name: str, password: str | None = None, options: str = "") -> str:
        """A role that may log in; with a password it needs it (SCRAM). ``options`` as in CREATE ROLE. Its name."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            made = sql.SQL("CREATE ROLE {} LOGIN ").format(sql.Identifier(name)) + sql.SQL(options)
            if password is not None:
                made += sql.SQL(" PASSWORD {} IN ROLE with_password").format(sql.Literal(password))
            connection.execute(made)
        return name

    def tls(self, name: str = "localhost", *, expired: bool = False) -> Tls:
        """From now on with TLS only, where it is reached through what this returns; restarts it. Once for each server.

        ``name``: whom the certificate is for, a host name or an address.
        """
        from tests.postgres.tls import Tls

        assert self._tls is None, "this server has TLS already"
        self._tls = Tls(self, name=name, expired=expired)
        return self._tls

    # How it is done

    def _configure(self, port: int) -> None:
        settings = {**self.settings, "port": str(port)}
        lines = ["{} = '{}'\n".format(name, value.replace("'", "''")) for name, value in settings.items()]
        # Written into the files that initdb made: they keep their owner.
        (self.data / "postgresql.conf").write_text("".join(lines))
        (self.data / "pg_hba.conf").write_text(self.access)

    def _comes_up(self) -> bool:
        """Wait for the word "ready" in postmaster.pid, as pg_ctl does, but a hundred times as often."""
        status = self.data / "postmaster.pid"
        until = time.monotonic() + PATIENCE
        while self.running and time.monotonic() < until:
            lines = []
            with contextlib.suppress(FileNotFoundError):  # not there yet, or the one that a kill left is being replaced
                lines = status.read_text().splitlines()
            if len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.002)
        self.kill()
        return False

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def build_url(
    host: str, port: int, database: str, user: str, password: str | None = None, query: Mapping[str, str] | None = None
) -> str:
    """``postgresql://…`` with everything quoted."""
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    return f"postgresql://{login}@{host}:{port}/{quote(database, safe='')}" + (
        f"?{urlencode(query, quote_via=quote)}" if query else ""
    )


def free_ports(count: int = 10) -> list[int]:
    """Ports that were free just now, outside the range from which systems take ports for outgoing connections."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(15_000, 30_000)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)):
                found.append(port)
    return found
