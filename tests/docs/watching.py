"""What the keys of watch.toml are for, beside what its tables say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.config.meanings import Meaning
from reconciler.watching import settings
from reconciler.watching.tables import LISTS, TABLES, TopTable
from reconciler.watching.webhooks import KINDS

MEANINGS: Final[Mapping[str, Mapping[str, Meaning]]] = {
    "": {
        "mode": Meaning(
            "What is done with a plan: told; applied once a person has approved its digest; applied.", '"report"'
        ),
        "interval": Meaning("Between two looks, from 1 s to 24 h.", '"1m"'),
        "jitter": Meaning("The share of it by which each look comes earlier or later.", "0.1"),
        "prune": Meaning("Whether mode `apply` cancels and deletes runs without an approval.", "false"),
    },
    "source": {
        "url": Meaning(
            "The git remote: by https, http, ssh, git or file; one with a password is in a variable or a file. Needed."
        ),
        "branch": Meaning("The branch that is followed.", '"main"'),
        "folder": Meaning("Where `reconciler.toml` is in the repository. Without it: at its top."),
        "max_bytes": Meaning("The most that is received of a revision.", "50_000_000"),
        "max_files": Meaning("The most files of declarations.", "20_000"),
        "timeout": Meaning("How long a command of git may take, up to 1 h.", '"60s"'),
    },
    "project": {
        "environment": Meaning("As `--env`."),
        "var_files": Meaning("As `--var-file`; relative to watch.toml, and read again where they change.", "[]"),
        "variables": Meaning("As `--var`.", "{}"),
        "state": Meaning(
            "As `--state`: an absolute path in `sqlite:////…`, or PostgreSQL. Without it `RECONCILER_STATE_URL`, else"
            " what the project says."
        ),
    },
    "allow": {
        "secrets": Meaning(
            "The variables and files that the project may name as keys, spelled as there.",
            '[{ env = "DATAFRAMER_API_KEY" }]',
        ),
        "base_urls": Meaning("The services that the project may name.", '["https://df-api.dataframer.ai", "emulator"]'),
    },
    "caps": {
        "window": Meaning("How far back purchases count, by whomever; from 1 min to 366 days.", '"24h"'),
        "max_runs": Meaning("The most runs within it. Without it: any number; so with the others."),
        "max_samples": Meaning("The most samples within it."),
        "max_cost_usd": Meaning("The most US dollars within it: as billed, else estimated."),
    },
    "deny": {
        "start": Meaning("When nothing is bought any more: a cron expression. Needed."),
        "duration": Meaning("For how long; from 1 min to 366 days. Needed."),
        "timezone": Meaning("The time zone of `start`.", '"UTC"'),
        "reason": Meaning("What is told of a plan that waits."),
    },
    "http": {
        "listen": Meaning('Address and port; `""`: nowhere.', f'"{settings.LISTEN}"'),
        "token": Meaning(
            "What callers send as `Authorization: Bearer TOKEN`. Without it nothing is changed over HTTP."
        ),
    },
    "webhooks": {
        "url": Meaning("Where to post: by https, or http on this machine. Needed."),
        "format": Meaning("`slack`: a text for chats. `json`: [for programs](schemas/webhook.schema.json).", '"slack"'),
        "events": Meaning("What is told. Without it: everything."),
    },
}
# What is allowed where the type does not say all.
ALLOWED: Final[Mapping[tuple[str, str], str]] = {
    ("", "jitter"): f"0 to {settings._MOST_JITTER}",
    ("source", "max_bytes"): "from 100,000",
    ("project", "variables"): '`{ NAME = "VALUE" }`',
    ("allow", "secrets"): "a list of `{ env = … }` and `{ file = … }`",
    **{("caps", key): "from 0" for key in ("max_runs", "max_samples", "max_cost_usd")},
    ("http", "token"): "`{ env = … }`, `{ file = … }`",
    ("webhooks", "events"): "a list of " + ", ".join(f'`"{kind}"`' for kind in KINDS),
}


def tables() -> dict[str, tuple[str, Any]]:
    """Every table of watch.toml: how its keys are shown, and its type."""
    named = {name: (f"[{name}] ", kind) for name, kind in TABLES.items()}
    return {"": ("", TopTable), **named, **{name: (f"[[{name}]] ", kind) for name, kind in LISTS.items()}}


def defaults(listed: bool) -> str:
    """A watch.toml with what is needed and, where ``listed``, every default as the page has it."""
    needed = {
        ("source", "url"): '"https://example.com/o/n.git"',
        ("deny", "start"): '"0 18 * * FRI"',
        ("deny", "duration"): '"1h"',
        ("webhooks", "url"): '"https://chat.example.com/hook"',
    }
    found = []
    for table, (shown, kind) in tables().items():
        found.append(shown.strip())
        for key in kind.__annotations__:
            value = needed.get((table, key)) or (MEANINGS[table][key].default if listed else "")
            found.append(f"{key} = {value}" if value else "")
    return "\n".join(filter(None, found)) + "\n"
