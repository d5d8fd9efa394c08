"""TLS to the state's database is libpq's: where either side is not trusted, nothing is bought."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import trustme

from tests.acceptance.project import Project, run, said
from tests.postgres import messages
from tests.postgres.server import Server
from tests.service import FakeService


class Authority:
    """A certificate authority, whose certificates lie in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._authority = trustme.CA()
        self.root = folder / "root.crt"
        self._authority.cert_pem.write_to_path(str(self.root))

    def issue(self, name: str) -> dict[str, str]:
        """A certificate for a host or a role, as libpq's parameters name it."""
        made = self._authority.issue_cert(name)
        files = {"sslcert": self._folder / f"{name}.crt", "sslkey": self._folder / f"{name}.key"}
        made.cert_chain_pems[0].write_to_path(str(files["sslcert"]))
        made.private_key_pem.write_to_path(str(files["sslkey"]))
        files["sslkey"].chmod(0o600)
        return {name: str(path) for name, path in files.items()}


class Front:
    """What speaks TLS in front of a server that is built without: takes clients with certificates of its authority."""

    def __init__(self, server: Server, authority: Authority) -> None:
        self._target = ("127.0.0.1", server.port)
        files = authority.issue("localhost")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.root))
        self._context.load_cert_chain(files["sslcert"], files["sslkey"])
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.encrypted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, suppress(OSError):
            if messages.code(plain.recv(8, socket.MSG_WAITALL)) != messages.SSL_REQUEST:
                plain.sendall(messages.error("28000", "pg_hba.conf rejects connections without encryption"))
                return
            plain.sendall(b"S")
            with self._context.wrap_socket(plain, server_side=True) as client:
                self.encrypted += 1
                with socket.create_connection(self._target) as server:
                    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                    back.start()
                    _pump(client, server)
                    server.shutdown(socket.SHUT_RDWR)
                    back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


def test_certificates_of_both_sides(
    database: str, postgres: Server, project: Project, service: FakeService, tmp_path: Path
) -> None:
    project.declare(run("a"))
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    front = Front(postgres, ours)

    def apply(code: int, host: str, **query: str) -> str:
        base = f"postgresql://team@{host}:{front.port}/{database.rpartition('/')[2]}"
        url = f"{base}?{urlencode({'workspace': 'search', **query})}"
        return said(project.expect(code, "--state", url, "apply", "--auto-approve"))

    full = {"sslmode": "verify-full", "sslrootcert": str(ours.root), **ours.issue("team")}
    for host, query in (
        ("localhost", full | {"sslrootcert": str(others.root)}),
        ("127.0.0.1", full),  # the certificate is that of localhost
        ("localhost", {"sslmode": "verify-full", "sslrootcert": str(ours.root)}),
        ("localhost", full | others.issue("team")),
    ):
        assert "both sides trust" in apply(1, host, **query)
    assert "does not let us in" in apply(1, "localhost", sslmode="disable")
    assert service.creates == []
    apply(0, "localhost", **full)
    assert len(service.creates) == 1
    assert front.encrypted > 1
    Path(full["sslkey"]).chmod(0o644)
    assert "sslkey" in apply(1, "localhost", **full)
    front.close()
