"""The tables of watch.toml: which keys there are, and of what type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Required

from typing_extensions import TypedDict

from reconciler.config.bounds import Between, Chars
from reconciler.config.models import Duration, SecretTable, Text, strict

_Count = Annotated[int, Between(0, 2**53)]
_Share = Annotated[float, Between(0, 1)]
_Secret = Text | SecretTable


@strict
class _SourceTable(TypedDict, total=False):
    url: Required[_Secret]
    branch: Text
    folder: Text
    max_bytes: Annotated[int, Between(100_000, 2**40)]
    max_files: Annotated[int, Between(1, 1_000_000)]
    timeout: Duration


@strict
class _ProjectTable(TypedDict, total=False):
    environment: Text
    var_files: list[Text]
    variables: dict[str, str]
    state: _Secret


@strict
class _AllowTable(TypedDict, total=False):
    secrets: list[SecretTable]
    base_urls: list[Text]


@strict
class _CapsTable(TypedDict, total=False):
    window: Duration
    max_runs: _Count
    max_samples: _Count
    max_cost_usd: Annotated[float, Between(0, 10**12)]


@strict
class _DenyTable(TypedDict, total=False):
    start: Required[Text]
    duration: Required[Duration]
    timezone: Text
    reason: Text


@strict
class _HttpTable(TypedDict, total=False):
    listen: str
    token: _Secret  # a text is refused with better words


@strict
class _WebhookTable(TypedDict, total=False):
    url: Required[_Secret]
    format: Literal["slack", "json"]
    events: list[Annotated[str, Chars(1, 40)]]


@strict
class TopTable(TypedDict, total=False):
    mode: Literal["report", "approve", "apply"]
    interval: Duration
    jitter: _Share
    prune: bool


TABLES: Final[Mapping[str, Any]] = {
    "source": _SourceTable, "project": _ProjectTable, "allow": _AllowTable, "caps": _CapsTable,
    "http": _HttpTable,
}  # fmt: skip
LISTS: Final[Mapping[str, Any]] = {"deny": _DenyTable, "webhooks": _WebhookTable}
TOP: Final = tuple(TopTable.__annotations__)
