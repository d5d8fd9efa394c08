"""Which addresses the key may be sent to."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from reconciler.config.settings import is_loopback
from tests.config.projects import desired, errors, places, toml

ALLOWED = {
    "https://df-api.dataframer.ai": "https://df-api.dataframer.ai",
    "https://df-api.dataframer.ai/": "https://df-api.dataframer.ai",
    "https://host:8443/prefix/": "https://host:8443/prefix",
    "https://127.0.0.1": "https://127.0.0.1",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://127.9.9.9": "http://127.9.9.9",
    "http://localhost:1": "http://localhost:1",
    "http://LOCALHOST": "http://LOCALHOST",
    "http://[::1]:8080": "http://[::1]:8080",
    "emulator": "emulator",
}
REFUSED = [
    "", " ", "host", "host:443", "//host", "/path", "https://", "https:///path", "https:host", "ftp://host",
    "file:///etc/passwd", "ws://host", "unix:///run/s", "Emulator", "emulator/", "https//host",
    "https://host?", "https://host#", "https://host?x=1", "https://host/#x", "https://ho st", " https://host",
    "https://host ", "https://host\n", "https://host\tx", "https://host:port", "https://host:99999", "https://[::1",
    "https://user@host", "https://user:password@host", "https://:password@host",
    "http://host", "http://10.0.0.1", "http://192.168.0.1", "http://0.0.0.0", "http://[::]", "http://[::2]",
    "http://127.0.0.1.example.com", "http://localhost.example.com", "http://127.example.com", "http://example.com:127",
    "http://127.0.0.1@example.com", "http://localhost@example.com", "http://example.com#127.0.0.1", "http://128.0.0.1",
    "http://example.com/127.0.0.1", "http://1270.0.0.1.example", "http://example.com\\@127.0.0.1", "http://2130706433",
]  # fmt: skip


@pytest.mark.parametrize(("written", "used"), ALLOWED.items())
def test_allowed(tmp_path: Path, written: str, used: str) -> None:
    found = desired(tmp_path, f"[api]\nbase_url = {toml(written)}\n")
    assert found.diagnostics == ()
    assert found.settings.base_url == used
    assert found.settings.emulated == (written == "emulator")
    assert used == "emulator" or httpx.URL(used + "/api/").path.endswith("/api/")


@pytest.mark.parametrize("written", REFUSED)
def test_refused(tmp_path: Path, written: str) -> None:
    text = f"[api]\nbase_url = {toml(written)}\n"
    found = errors(desired(tmp_path, text))
    assert [line.startswith("base_url") for line in places(found, text)] == [True]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("", False),
        ("127", False),
        ("127.a.0.1", False),
        ("126.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.localdomain.example", False),
        ("127.0.0.1.example", False),
        ("xlocalhost", False),
    ],
)
def test_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
