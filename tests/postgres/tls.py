"""A server that takes encrypted connections only, with a certificate made for it.

The wheel's server is built without OpenSSL. Before such a one stands a front that does what the server would do: it
says yes to TLS, speaks it, and turns away who wants none. A server with OpenSSL does all that itself. What differs:
behind a front the server knows nothing of TLS (``pg_stat_ssl``, ``channel_binding=require``).
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import trustme

from tests.postgres import messages
from tests.postgres.folder import own
from tests.postgres.listener import Bell, Listener, connect, ready, receive

if TYPE_CHECKING:
    from tests.postgres.server import Server


class Tls:
    """How to reach ``server`` with TLS. ``ca``: the file that ``sslrootcert`` wants. Made by ``Server.tls``."""

    def __init__(self, server: Server, *, name: str, expired: bool) -> None:
        self._server = server
        self.ca = server.folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        certificate = authority.issue_cert(name, not_after=yesterday if expired else None)
        self._front = None if _by_itself(server, certificate) else _Front(server, certificate)

    def url(
        self,
        database: str = "postgres",
        user: str = "postgres",
        password: str | None = None,
        *,
        host: str = "localhost",
        **query: str,
    ) -> str:
        """A URL that asks for all that TLS can prove, unless ``query`` says otherwise (``sslmode="disable"``)."""
        from tests.postgres.server import build_url

        port = self._front.port if self._front else self._server.port
        return build_url(
            host, port, database, user, password, {"sslmode": "verify-full", "sslrootcert": str(self.ca), **query}
        )

    def close(self) -> None:
        if self._front is not None:
            self._front.close()


def _by_itself(server: Server, certificate: trustme.LeafCert) -> bool:
    """Let the server speak TLS; False, with everything as before, when it can't."""
    before = dict(server.settings), server.access
    for name, blobs in (("server.crt", certificate.cert_chain_pems), ("server.key", [certificate.private_key_pem])):
        path = server.data / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        path.chmod(0o600)
        own(path)
    server.settings["ssl"] = "on"
    server.access = server.access.replace("host ", "hostssl ")
    try:
        server.restart()
    except RuntimeError as error:
        if "not supported by this build" not in str(error):
            raise
        server.settings, server.access = before
        server.start()
        return False
    return True


class _Front:
    def __init__(self, server: Server, certificate: trustme.LeafCert) -> None:
        self._server = server
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._lock = threading.Lock()
        self._bells: set[Bell] = set()
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def close(self) -> None:
        self._listener.shut()
        with self._lock:
            for bell in self._bells:
                bell.ring()
        self._listener.join()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(10)  # until it is known
        bell = Bell()
        with self._lock:
            self._bells.add(bell)
        with client, contextlib.suppress(OSError):  # also ssl.SSLError: the client doesn't like the certificate
            self._welcome(client, bell)
        with self._lock:
            self._bells.remove(bell)
        bell.close()

    def _welcome(self, client: socket.socket, bell: Bell) -> None:
        splitter = messages.Splitter(started=False)
        while data := receive(client):
            for first in splitter.feed(data):
                match messages.code(first):
                    case messages.SSL_REQUEST:
                        client.sendall(b"S")
                        with self._context.wrap_socket(client, server_side=True) as encrypted:
                            encrypted.settimeout(None)
                            self._relay(encrypted, bell)
                        return
                    case messages.GSS_REQUEST:
                        client.sendall(b"N")
                    case messages.CANCEL_REQUEST:  # for these a server doesn't look at pg_hba.conf
                        with connect("127.0.0.1", self._server.port) as server:
                            server.sendall(first)
                            receive(server)
                        return
                    case _:
                        client.sendall(_unencrypted(messages.parameters(first)))
                        return

    def _relay(self, client: ssl.SSLSocket, bell: Bell) -> None:
        with connect("127.0.0.1", self._server.port) as server:
            while bell not in (found := ready(client, server, bell)):
                if server in found:
                    if not (data := receive(server)):
                        return
                    client.sendall(data)
                if client in found:
                    if not (data := receive(client)):
                        return
                    while client.pending():
                        data += client.recv(client.pending())
                    server.sendall(data)


def _unencrypted(parameters: dict[str, str]) -> bytes:
    """What a server with only ``hostssl`` lines says."""
    user, database = parameters["user"], parameters.get("database", parameters["user"])
    return messages.error(
        "28000", f'no pg_hba.conf entry for host "127.0.0.1", user "{user}", database "{database}", no encryption'
    )
