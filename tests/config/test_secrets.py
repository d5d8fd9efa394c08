"""Secrets: read by reference only, and never said, wherever somebody wrote one."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest

from reconciler.config.settings import read_secret
from reconciler.model.errors import ConfigurationError, SecretError
from reconciler.model.request import SecretRef
from reconciler.project import read_project
from reconciler.views.diagnostics import diagnostic_block, diagnostic_line, validation_json
from reconciler.views.paint import Paint
from tests.config.projects import SPECS, desired, run

CANARY = "canary-7d3f"
KEYS = ("databricks_client_id", "databricks_client_secret", "databricks_api_base", "api_key")
FORMS = ['"{}"', "'{}'", '"""\n{}"""', "'''{}'''", '["{}"]', '[["{}"]]', '{{ value = "{}" }}', '{{ env = ["{}"] }}']
FORMS += ['{{ env = {{ x = "{}" }} }}', '{{ env = "A", file = ["{}"] }}', '{{ env = "A", extra = "{}" }}']
HEADERS = [
    "",
    "[api]\n",
    "[defaults]\n",
    "[run.a]\n",
    "[run]\n",
    "[specs]\n",
    "[state]\n",
    "[apply]\n",
    "[run.a.lifecycle]\n",
]
ADDRESSES = [
    "https://user:{}@host",
    "http://user:{}@127.0.0.1",
    "ftp://user:{}@host",
    "user:{}@host",
    "https://user:{}",
]
ADDRESSES += [
    "https://user:{}/x@host",
    "https://host?key={}",
    "https://host#{}",
    "//user:{}@host",
    "https://u:{}@host:99999",
]
ADDRESSES += ["https://[{}@host", "https://u:{}\u2100@host", "https://{}@host", "http://u:{}@example.com"]


def everything_said(folder: Path, text: str) -> str:
    """All that any view makes of a project's problems."""
    found = desired(folder, text)
    assert not found.valid
    lines = text.split("\n")
    said = [json.dumps(validation_json(found.diagnostics))]
    for item in found.diagnostics:
        said += [repr(item), diagnostic_line(item, Paint())]
        said += diagnostic_block(item, lambda source: lines[source.line - 1], 100, Paint())
    try:
        read_project(folder, {})
    except ConfigurationError as problem:
        said += [str(problem), *traceback.format_exception(problem)]
    return "\n".join(said)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_a_literal_is_refused_and_not_repeated(tmp_path: Path, key: str, form: str) -> None:
    for header in HEADERS:
        text = f"{header}{key} = {form.format(CANARY)}\n"
        assert CANARY not in everything_said(tmp_path, text), text


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_password_in_the_address_is_not_repeated(tmp_path: Path, address: str) -> None:
    assert CANARY not in everything_said(tmp_path, f'[api]\nbase_url = "{address.format(CANARY)}"\n')


@pytest.mark.parametrize(
    "line",
    [
        f"api_key = {CANARY}",
        f'api_key = "{CANARY}',
        f"api_key = '{CANARY}",
        f'api_key = "{CANARY}" x',
        f'api_key "{CANARY}"',
    ],
)
def test_a_line_that_is_no_toml_is_shown_without_its_value(tmp_path: Path, line: str) -> None:
    assert CANARY not in everything_said(tmp_path, f"[api]\n{line}\n")


@pytest.mark.parametrize("content", [f"{CANARY}", f"{CANARY}\n", f"  {CANARY}\r\n\n"])
def test_a_secret_is_read_from_a_file_or_a_variable(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    assert read_secret(SecretRef("file", "key"), tmp_path, {}) == CANARY
    assert read_secret(SecretRef("file", str(tmp_path / "key")), Path("/"), {}) == CANARY
    assert read_secret(SecretRef("env", "K"), tmp_path, {"K": content}) == CANARY


def test_a_file_of_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(CANARY)
    assert read_secret(SecretRef("file", "~/key"), tmp_path / "project", {}) == CANARY


@pytest.mark.parametrize("value", ["", " \n", f"{CANARY}\n{CANARY}", f"{CANARY}\x00", f"ü{CANARY}", f"\ufeff{CANARY}"])
@pytest.mark.parametrize("kind", ["env", "file"])
def test_what_no_header_can_hold_is_refused_unsaid(tmp_path: Path, value: str, kind: str) -> None:
    (tmp_path / "NAME").write_bytes(value.encode())
    with pytest.raises(SecretError) as raised:
        read_secret(SecretRef(kind, "NAME"), tmp_path, {"NAME": value})
    assert "NAME" in str(raised.value)
    assert CANARY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("name", ["missing", ".", "latin", "nul\x00byte", "x" * 300])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "latin").write_bytes(CANARY.encode() + b"\xff")
    with pytest.raises(SecretError) as raised:
        read_secret(SecretRef("file", name), tmp_path, {})
    assert name[:3] in str(raised.value)
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_the_fields_of_a_request_hold_no_secret(tmp_path: Path) -> None:
    (instance,) = desired(tmp_path, SPECS + run(databricks_client_id={"env": "WHO"})).instances
    assert instance.secrets == (("databricks_client_id", SecretRef("env", "WHO")),)
    assert "WHO" not in instance.request.digest + repr(instance.request)
