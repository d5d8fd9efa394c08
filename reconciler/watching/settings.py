"""watch.toml: what a controller follows, and what it may do. It belongs to the operator, never to what is followed."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from reconciler.config.checking import check
from reconciler.config.findings import Finding, did_you_mean, error, to_diagnostics
from reconciler.config.load import Document, read_document
from reconciler.config.settings import base_url_problem, is_loopback, read_secret, seconds, to_secret
from reconciler.config.variables import Given
from reconciler.model.errors import ConfigurationError, SecretError
from reconciler.model.request import SecretRef
from reconciler.watching.allowed import Allowed
from reconciler.watching.backoff import Pace
from reconciler.watching.consent import Caps
from reconciler.watching.place import BRANCH, Place, RemoteError, address_of
from reconciler.watching.status import Mode
from reconciler.watching.tables import LISTS, TABLES, TOP, TopTable
from reconciler.watching.webhooks import KINDS, Webhook
from reconciler.watching.windows import Window, window
from state.postgres.url import holds_password

_MOST_JITTER: Final = 0.5
_BOUNDS: Final = {"interval": (1.0, 86_400.0), "window": (60.0, 366 * 86_400.0), "duration": (60.0, 366 * 86_400.0)}
LISTEN: Final = "127.0.0.1:8322"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that watch.toml says. ``withheld``: the environment variables of its own secrets, which what is
    followed may not refer to.
    """

    mode: Mode
    pace: Pace
    prune: bool
    place: Place = field(repr=False)
    given: Given
    state_url: str | None = field(repr=False)
    allowed: Allowed
    caps: Caps
    windows: tuple[Window, ...]
    listen: tuple[str, int] | None
    token: str | None = field(repr=False)
    webhooks: tuple[Webhook, ...]
    withheld: frozenset[str]


def read_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read and check it. Raises ConfigurationError with everything that is wrong, and SecretError."""
    document = read_document(path, path.name)
    if not isinstance(document, Document):
        raise ConfigurationError([document])
    found = list(_problems(document))
    if not found:
        found = list(_rules(document))
    if found:
        raise ConfigurationError(to_diagnostics(found))
    return _settings(document.table, path.parent, environ)


def _problems(document: Document) -> Iterator[Finding]:
    """What has the wrong type, or no meaning."""
    table = document.table
    known = (*TOP, *TABLES, *LISTS)
    for key in table:
        if key not in known:
            detail = f'"{key}" is no key of {document.file}.{did_you_mean(key, known)}'
            yield error(document, (key,), "Unknown key", detail, f"Allowed: {', '.join(known)}.", on_key=True)
    top = {key: value for key, value in table.items() if key in TOP}
    yield from check(TopTable, top, document, (), TOP, None)
    if "source" not in table:
        yield error(document, (), "A table is missing", "There is no [source]: nothing to follow.", "[source] url = …")
    for name, kind in TABLES.items():
        if name in table:
            yield from check(kind, table[name], document, (name,), tuple(kind.__annotations__), None)
    for name, kind in LISTS.items():
        listed = table.get(name, [])
        if not isinstance(listed, list):
            yield error(document, (name,), "Wrong type", f"{name} is a list of tables.", f"Write [[{name}]].")
            continue
        for number, one in enumerate(listed):
            yield from check(kind, one, document, (name, number), tuple(kind.__annotations__), None)


def _rules(document: Document) -> Iterator[Finding]:
    """What is wrong with values of the right type."""
    table = document.table
    for path, value in _durations(table):
        low, high = _BOUNDS.get(str(path[-1]), (1.0, 3_600.0))
        if not low <= seconds(value) <= high:
            yield error(document, path, "Value out of bounds", f"{path[-1]} is from {low:g} s to {high:g} s.")
    for path, value in _secrets(table):
        if isinstance(value, dict) and len(value) != 1:
            yield error(document, path, "A secret must be a reference", f"{path[-1]} needs one of env and file.")
    for number, one in enumerate(table.get("deny", ())):
        try:
            _window(one)
        except ValueError as problem:
            yield error(document, ("deny", number, "start"), "Value not allowed", f"{problem}.")
        except KeyError:
            yield error(
                document, ("deny", number, "timezone"), "Value not allowed",
                f'There is no time zone "{one["timezone"]}".', 'Such as "Europe/Berlin" or "UTC".',
            )  # fmt: skip
    for number, one in enumerate(table.get("webhooks", ())):
        if isinstance(one["url"], str) and not _postable(one["url"]):
            detail = "url is an address with https://, or with http:// on this machine."
            yield error(document, ("webhooks", number, "url"), "Value not allowed", detail)
        for wrong in (kind for kind in one.get("events", ()) if kind not in KINDS):
            detail = f'There is no event "{wrong}".{did_you_mean(wrong, KINDS)}'
            yield error(document, ("webhooks", number, "events"), "Value not allowed", detail, f"{', '.join(KINDS)}.")
    yield from _source_rules(document, table["source"])
    yield from _allow_rules(document, table.get("allow", {}))
    if table.get("jitter", 0) > _MOST_JITTER:
        yield error(document, ("jitter",), "Value out of bounds", f"jitter is from 0 to {_MOST_JITTER}.")
    http = table.get("http", {})
    if isinstance(http.get("token"), str):
        detail = "token holds a value; secrets are not written into files."
        fix = 'Write token = { env = "NAME" } or { file = "path" }.'
        yield error(document, ("http", "token"), "A secret must be a reference", detail, fix)
    if _listen(http.get("listen", LISTEN)) is False:
        yield error(document, ("http", "listen"), "Value not allowed", "listen is an address and a port.", LISTEN)
    name = table.get("project", {}).get("state")
    if isinstance(name, str) and holds_password(name):
        fix = 'Write state = { env = "NAME" } or { file = "path" }.'
        detail = "The address of the state holds a password; secrets are not written into files."
        yield error(document, ("project", "state"), "A secret must be a reference", detail, fix)
    elif isinstance(name, str) and _relative(name):
        detail = "A relative path would name another file for each who reads it."
        yield error(document, ("project", "state"), "Value not allowed", detail, 'Such as "sqlite:////srv/state.db".')


def _source_rules(document: Document, source: Mapping[str, Any]) -> Iterator[Finding]:
    url, path = source["url"], ("source", "url")
    if isinstance(url, str):
        try:
            if address_of(url).password:
                fix = 'Write url = { env = "NAME" } or { file = "path" }.'
                detail = "The URL holds a password; secrets are not written into files."
                yield error(document, path, "A secret must be a reference", detail, fix)
        except RemoteError as problem:
            yield error(document, path, "Value not allowed", f"{str(problem).capitalize()}.")
    if not BRANCH.fullmatch(source.get("branch", "main")):
        detail = "branch is the name of a branch, such as main, without refs/heads/."
        yield error(document, ("source", "branch"), "Value not allowed", detail)
    folder = source.get("folder", "")
    if folder and any(part in ("", ".", "..") for part in folder.rstrip("/").split("/")):
        detail = "folder is a path within the repository, from its top, such as teams/evals."
        yield error(document, ("source", "folder"), "Value not allowed", detail)


def _allow_rules(document: Document, allow: Mapping[str, Any]) -> Iterator[Finding]:
    for number, one in enumerate(allow.get("secrets", ())):
        if len(one) != 1:
            detail = "Each of secrets needs one of env and file."
            yield error(document, ("allow", "secrets", number), "A secret must be a reference", detail)
    for number, one in enumerate(allow.get("base_urls", ())):
        if problem := base_url_problem(one):
            yield error(document, ("allow", "base_urls", number), "Service address not allowed", problem)


def _allowed(allow: Mapping[str, Any]) -> Allowed:
    default = Allowed()
    return Allowed(
        frozenset(map(to_secret, allow["secrets"])) if "secrets" in allow else default.secrets,
        frozenset(one.rstrip("/") for one in allow["base_urls"]) if "base_urls" in allow else default.base_urls,
    )


def _durations(table: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for path, key in (((), "interval"), (("source",), "timeout"), (("caps",), "window")):
        found = table.get(path[0], {}) if path else table
        if key in found:
            yield (*path, key), found[key]
    for number, one in enumerate(table.get("deny", ())):
        yield ("deny", number, "duration"), one["duration"]


def _secrets(table: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    for name, key in (("source", "url"), ("project", "state"), ("http", "token")):
        if key in table.get(name, {}):
            yield (name, key), table[name][key]
    for number, one in enumerate(table.get("webhooks", ())):
        yield ("webhooks", number, "url"), one["url"]


def _settings(table: Mapping[str, Any], folder: Path, environ: Mapping[str, str]) -> Settings:
    source, project = table["source"], table.get("project", {})
    caps, http = table.get("caps", {}), table.get("http", {})

    def text(value: Any) -> str:
        return read_secret(to_secret(value), folder, environ).strip() if isinstance(value, dict) else str(value)

    listen = _listen(http.get("listen", LISTEN))
    withheld = [to_secret(value) for path, value in _secrets(table) if isinstance(value, dict)]
    url = text(source["url"])
    try:
        address_of(url)
    except RemoteError as problem:
        raise SecretError(f"[source] url: {problem}.") from None
    return Settings(
        mode=Mode(table.get("mode", Mode.REPORT)),
        pace=Pace(seconds(table.get("interval", "1m")), float(table.get("jitter", 0.1))),
        prune=table.get("prune", False),
        place=Place(
            url=url,
            branch=source.get("branch", "main"),
            folder=source.get("folder", "").strip("/"),
            max_bytes=source.get("max_bytes", 50_000_000),
            max_files=source.get("max_files", 20_000),
            timeout=seconds(source.get("timeout", "60s")),
        ),
        given=Given(
            project.get("environment"),
            tuple(f"{name}={value}" for name, value in project.get("variables", {}).items()),
            tuple(folder / name for name in project.get("var_files", ())),
        ),
        state_url=text(project["state"]) if "state" in project else environ.get("RECONCILER_STATE_URL"),
        allowed=_allowed(table.get("allow", {})),
        caps=Caps(
            seconds(caps.get("window", "24h")),
            caps.get("max_runs"),
            caps.get("max_samples"),
            float(caps["max_cost_usd"]) if "max_cost_usd" in caps else None,
        ),
        windows=tuple(map(_window, table.get("deny", ()))),
        listen=listen or None,
        token=text(http["token"]) if "token" in http else None,
        webhooks=tuple(
            Webhook(text(one["url"]), one.get("format", "slack"), frozenset(one.get("events", KINDS)))
            for one in table.get("webhooks", ())
        ),
        withheld=frozenset(ref.name for ref in withheld if isinstance(ref, SecretRef) and ref.kind == "env")
        | {"RECONCILER_STATE_URL"},
    )


def _window(table: Mapping[str, Any]) -> Window:
    return window(table["start"], seconds(table["duration"]), table.get("timezone", "UTC"), table.get("reason", ""))


def _relative(url: str) -> bool:
    return url.startswith("sqlite:") and not url.startswith("sqlite:////")


def _postable(url: str) -> bool:
    with suppress(ValueError):
        parts = urllib.parse.urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        )
    return False


def _listen(value: str) -> tuple[str, int] | Literal[False] | None:
    """Address and port; None for none, False for what is neither."""
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        return False
    return host.strip("[]"), int(port)
