"""Everything of reconciler.toml that is not a declaration: the service, the state, the pace, the spec aliases."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.config.checking import check
from reconciler.config.environment import TABLES as ENVIRONMENT_TABLES
from reconciler.config.findings import Finding, did_you_mean, error
from reconciler.config.limits import read_limits
from reconciler.config.load import Document, Loaded
from reconciler.config.models import ApiTable, ApplyTable, SpecsTable, StateTable
from reconciler.model.address import NAME
from reconciler.model.errors import SecretError
from reconciler.model.limits import Limit
from reconciler.model.request import SecretRef
from state.postgres.url import holds_password

EMULATOR: Final = "emulator"
DEFAULT_BASE_URL: Final = "https://df-api.dataframer.ai"
DEFAULT_KEY: Final = SecretRef("env", "DATAFRAMER_API_KEY")
_LONGEST_SECRET: Final = 65_536
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
MOST_FINDINGS: Final = 1_000  # beyond so many, nobody reads on
_RUNS_KEYS = ("specs", "defaults", "run", "moved", "import")
_ROOT_KEYS = ("api", "state", "apply", "limits", "variables", *_RUNS_KEYS)
_TABLES: Final[dict[str, type]] = {"api": ApiTable, "state": StateTable, "apply": ApplyTable}
SETTINGS_TABLES: Final = (*_TABLES, "limits")
_KEYS = {name: tuple(table.__annotations__) for name, table in _TABLES.items()}


class Settings(Struct, frozen=True):
    """How to reach the service and the state. Durations in seconds; rates in submissions a second, 0 = no limit."""

    base_url: str = DEFAULT_BASE_URL
    api_key: SecretRef = DEFAULT_KEY
    extra_models: tuple[str, ...] = ()
    timeout: float = 60.0
    state_url: str | SecretRef | None = None
    workspace: str | None = None  # of a state in PostgreSQL
    parallelism: int = 10
    max_active: int = 0
    submit_rate: float = 0.0
    resubmit_absent_after: float | None = None
    limits: tuple[Limit, ...] = ()
    environment: str | None = None  # the name that --env gave

    @property
    def emulated(self) -> bool:
        """Whether the built-in emulator stands for the service."""
        return self.base_url == EMULATOR

    @property
    def default_state_url(self) -> str:
        """Where the state is when nobody says."""
        folder = self.environment or ("emulator" if self.emulated else "")
        return f"sqlite:///.reconciler/{folder}{'/' if folder else ''}state.db"


def seconds(duration: str) -> float:
    """``60s``, ``1.5m``, ``250ms`` as seconds. Raises ValueError."""
    unit = "ms" if duration.endswith("ms") else duration[-1:]
    if unit not in _UNITS:
        raise ValueError(f"{duration!r} is no duration: write a number and ms, s, m or h, such as 90s")
    return float(duration.removesuffix(unit)) * _UNITS[unit]


def read_secret(ref: SecretRef, root: Path, environ: Mapping[str, str]) -> str:
    """The value of a reference, read now and kept nowhere. Raises SecretError, which never holds a value."""
    if ref.kind == "env":
        value = environ.get(ref.name, "")
    else:
        try:
            with (root / Path(ref.name).expanduser()).open("rb") as file:
                value = file.read(_LONGEST_SECRET + 1).decode("utf-8")
        except (OSError, ValueError, RuntimeError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8, or a path that can't be"
            raise SecretError(f"The secret in {ref} can't be read: {reason}.") from None
    if len(value) > _LONGEST_SECRET:
        raise SecretError(f"The {ref} is longer than any key. Check what the reference names.")
    value = value.strip()
    if not value:
        raise SecretError(f"The {ref} is not set or empty. Set it, or change the reference.")
    if not value.isprintable() or not value.isascii():
        raise SecretError(f"The {ref} holds characters that no key has (control or non-ASCII). Copy the value again.")
    return value


def read_settings(loaded: Loaded) -> tuple[Settings, list[Finding]]:
    """The settings, as far as they are right, and what is wrong with them. The environment's keys come first."""
    findings: list[Finding] = []
    for document in loaded.documents:
        findings += _unknown_tables(document, _ROOT_KEYS if document.is_root else _RUNS_KEYS)
    sources = [document for document in (loaded.top, loaded.environment) if document is not None]
    if loaded.environment is not None:
        findings += _unknown_tables(loaded.environment, ENVIRONMENT_TABLES)
    tables: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    for document in sources:
        found = [item for name in _TABLES for item in _check_table(document, name)]
        bad = {finding.path[:2] for finding in found}
        own = {
            name: {key: value for key, value in table.items() if (name, key) not in bad}
            for name in _TABLES
            if isinstance(table := document.table.get(name, {}), dict)
        }
        broken = _rules(document, own)
        findings += [*found, *broken]
        bad = {finding.path[:2] for finding in broken}
        for name, table in own.items():
            tables[name] |= {key: value for key, value in table.items() if (name, key) not in bad}
    limits, more = read_limits(sources)
    environment = None if loaded.environment is None else PurePath(loaded.environment.file).stem
    return replace(_settings(tables), limits=limits, environment=environment), [*findings, *more]


def _check_table(document: Document, name: str) -> list[Finding]:
    return check(_TABLES[name], document.table.get(name, {}), document, (name,), _KEYS[name], None)


def read_aliases(loaded: Loaded) -> tuple[dict[str, str], list[Finding]]:
    """``[specs]`` of all files: alias to spec id, an empty text for one that is wrong."""
    aliases: dict[str, str] = {}
    findings: list[Finding] = []
    for document in loaded.documents:
        table = document.table.get("specs", {})
        problems = check(SpecsTable, table, document, ("specs",), (), None)
        findings.extend(problems)
        bad = {finding.path[1] for finding in problems if len(finding.path) > 1}
        for alias, spec_id in table.items() if isinstance(table, dict) else ():
            if alias in bad:
                aliases.setdefault(alias, "")  # told already: a run that names it is not wrong as well
            elif NAME.fullmatch(alias) is None:
                detail = f'"{alias}" is not a name: letters, digits, _ and -, not starting with a digit or -.'
                findings.append(error(document, ("specs", alias), "Malformed name", detail, on_key=True))
            elif alias in aliases:
                detail = f"The spec alias {alias} is defined in another file as well."
                findings.append(error(document, ("specs", alias), "Declared twice", detail, "Keep one.", on_key=True))
            else:
                aliases[alias] = spec_id.lower()
    return aliases, findings


def _unknown_tables(document: Document, known: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    for key in document.table:
        if key not in known and len(found) < MOST_FINDINGS:
            detail = f'"{key}" is no table of {document.file}.{did_you_mean(key, known)}'
            fix = f"Allowed here: {', '.join(f'[{name}]' for name in known)}."
            found.append(error(document, (key,), "Unknown table", detail, fix, on_key=True))
    return found


def _rules(root: Document, tables: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """What is wrong with values of the right type. ``tables``: those of this document."""
    found: list[Finding] = []
    api, state = tables.get("api", {}), tables.get("state", {})
    base_url = api.get("base_url")
    if base_url is not None and (problem := base_url_problem(base_url)):
        fix = 'Write base_url = "https://…", "http://127.0.0.1:PORT" or "emulator".'
        found.append(error(root, ("api", "base_url"), "Service address not allowed", problem, fix))
    if seconds(api.get("timeout", "60s")) <= 0:
        found.append(error(root, ("api", "timeout"), "Value out of bounds", "timeout must be more than 0s."))
    for table, key, ref in (("api", "api_key", api.get("api_key")), ("state", "url", state.get("url"))):
        if isinstance(ref, dict) and len(ref) != 1:
            found.append(error(root, (table, key), "A secret must be a reference", f"{key} needs one of env and file."))
    url = state.get("url")
    if isinstance(url, str) and holds_password(url):
        fix = 'Write url = { env = "RECONCILER_STATE_URL" }, or leave the password to ~/.pgpass or PGPASSWORD.'
        detail = "The address of the state holds a password; secrets are not written into files."
        found.append(error(root, ("state", "url"), "A secret must be a reference", detail, fix))
    return found


def base_url_problem(base_url: str) -> str:
    """Why an address of the service is refused, or an empty text."""
    if base_url == EMULATOR:
        return ""
    if any(character in "?#@\\ " or not character.isprintable() for character in base_url):
        return "The address must not hold a user, a password, a query, a fragment or a blank."
    try:
        url = urllib.parse.urlsplit(base_url)
        host, port = url.hostname or "", url.netloc.rpartition("]")[2].partition(":")[2]
        sound = bool(host) and (not port or (port.isdecimal() and url.port is not None))
    except ValueError:
        sound = False  # what was wrong is not repeated: somebody may have written a password there
    if not sound or url.scheme not in ("https", "http"):
        return "It is not an address with https://, a host, and at most a port and a path."
    if url.scheme == "http" and not is_loopback(host):
        return f"http:// would send the API key in the clear to {host}; only loopback may use it."
    return ""


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine."""
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdecimal())


def _settings(tables: dict[str, dict[str, Any]]) -> Settings:
    api, state, apply = tables["api"], tables["state"], tables["apply"]
    default = Settings()
    count, _, unit = apply.get("submit_rate", "0/s").partition("/")
    url = state.get("url")
    absent = apply.get("resubmit_absent_after", "")
    return Settings(
        base_url=api.get("base_url", default.base_url).rstrip("/"),
        api_key=to_secret(api["api_key"]) if "api_key" in api else default.api_key,
        extra_models=tuple(api.get("extra_models", ())),
        timeout=seconds(api.get("timeout", "60s")),
        state_url=to_secret(url) if isinstance(url, dict) else url,
        workspace=state.get("workspace"),
        parallelism=apply.get("parallelism", default.parallelism),
        max_active=apply.get("max_active", default.max_active),
        submit_rate=float(count) / _UNITS[unit],
        resubmit_absent_after=seconds(absent) if absent else None,
    )


def to_secret(table: Mapping[str, str]) -> SecretRef:
    """A checked ``{ env = … }`` or ``{ file = … }`` table as a reference."""
    ((kind, name),) = table.items()
    return SecretRef(kind, name)
