"""What is wanted: a request, its lifecycle, and the instance that asks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.json import Encoder
from msgspec.structs import asdict, force_setattr

from reconciler.model.address import Address
from reconciler.model.diagnostics import Source

FieldValue = str | int | bool | tuple[str, ...]
Fields = tuple[tuple[str, FieldValue], ...]


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


def canonical_json(value: object) -> str:
    """Sorted keys, no spaces: equal values have equal texts."""
    return _CANONICAL.encode(value)


_ENCODE = Encoder(order="deterministic").encode
_ALIKE = frozenset({str, int, bool})
_TEXT = frozenset({str})


def sha256(text: str) -> str:
    """``sha256:`` and the hex digest of the text's UTF-8."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def normal(value: object) -> object:
    """A value as it is compared: the API's lists are unordered sets, and null means an empty one."""
    return sorted(value) if isinstance(value, (list, tuple)) else value


class _Remembering:
    """Room for a digest, once somebody has asked for it; no field, so nobody writes or compares it."""

    __slots__ = ("_digest",)
    _digest: str


class Request(Struct, _Remembering, frozen=True):
    """The fields that an instance asks for, without secrets, and its ``rerun`` number (which is not sent)."""

    fields: Fields
    rerun: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any], rerun: int = 0) -> Request:
        """From a table of values; lists become tuples."""
        return cls(tuple([(k, tuple(v) if isinstance(v, list) else v) for k, v in values.items()]), rerun)

    def body(self) -> dict[str, Any]:
        """The fields as JSON values, lists in declared order."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.fields}

    def get(self, name: str) -> FieldValue | None:
        """One field, or None."""
        for field, value in self.fields:  # asked for a dozen times a run: a generator would cost twice as much
            if field == name:
                return value
        return None

    def without(self, name: str) -> Request:
        """The same request less one field."""
        return Request(tuple(pair for pair in self.fields if pair[0] != name), self.rerun)

    def having(self, name: str, value: FieldValue) -> Request:
        """The same request with one field set."""
        if self.get(name) is None:
            return Request((*self.fields, (name, value)), self.rerun)
        return Request(tuple((k, value if k == name else v) for k, v in self.fields), self.rerun)

    def list_of(self, name: str) -> tuple[str, ...]:
        """A list field, empty where it is not set."""
        value = self.get(name)
        return value if isinstance(value, tuple) else ()

    @property
    def samples(self) -> int:
        """Samples to buy."""
        value = self.get("number_of_samples")
        return value if isinstance(value, int) else 0

    @property
    def spec_id(self) -> str:
        """The spec, or an empty text while its name has not been looked up."""
        return str(self.get("spec_id") or "")

    @property
    def digest(self) -> str:
        """Equal for requests that ask for the same thing."""
        try:
            return self._digest
        except AttributeError:
            force_setattr(self, "_digest", f"sha256:{hashlib.sha256(self._canonical()).hexdigest()}")
            return self._digest

    def _canonical(self) -> bytes:
        """As ``canonical_json``. msgspec takes a fifth of its time, but writes floats otherwise, which no field has."""
        fields: dict[str, object] = {}
        alike = True
        for name, value in self.fields:
            if type(value) is tuple:
                fields[name] = texts = sorted(value)
                alike = alike and _TEXT.issuperset(map(type, texts))
            else:
                fields[name] = value
                alike = alike and type(value) in _ALIKE
        asked = {"fields": fields, "rerun": self.rerun}
        return _ENCODE(asked) if alike else canonical_json(asked).encode()


class Lifecycle(Struct, frozen=True):
    """How an instance is treated; its values are kept in the state, also after the declaration is gone."""

    protect: bool = False
    on_remove: str = "cancel"  # "cancel" | "keep" | "delete"
    on_change: str = "replace"  # "replace" | "keep"
    max_attempts: int = 1
    min_samples: int = 0

    def to_json(self) -> str:
        """Canonical JSON."""
        return _lifecycle_json(self)

    @classmethod
    def from_json(cls, text: str) -> Lifecycle:
        """The inverse of :meth:`to_json`; keys of a newer version are passed over."""
        return _lifecycle(text)


@lru_cache(1024)
def _lifecycle_json(lifecycle: Lifecycle) -> str:
    return canonical_json(asdict(lifecycle))


@lru_cache(1024)  # thousands of instances have the same few
def _lifecycle(text: str) -> Lifecycle:
    known = Lifecycle.__struct_fields__
    return Lifecycle(**{key: value for key, value in json.loads(text).items() if key in known})


class SecretRef(Struct, frozen=True):
    """Where a secret is read when it is needed: an environment variable, or a file relative to the project."""

    kind: str  # "env" | "file"
    name: str

    def __str__(self) -> str:
        return f"{'environment variable' if self.kind == 'env' else 'file'} {self.name}"


class Instance(Struct, frozen=True):
    """One wanted run."""

    address: Address
    request: Request  # without spec_id while ``spec_name`` has not been looked up
    lifecycle: Lifecycle
    source: Source
    secrets: tuple[tuple[str, SecretRef], ...] = ()
    spec_name: str | None = None
    legacy_revisions: bool = False  # asked for by enable_revisions: no distinguishability without a seed dataset
    follows_latest: bool = False  # spec_version = "latest": looked up
    depends_on: tuple[Address, ...] = ()  # submitted only when these have SUCCEEDED; orders, and does nothing else

    @property
    def name(self) -> str:
        """The declaration's name."""
        return self.address[4:].partition("[")[0]


def by_address(instances: Iterable[Instance]) -> dict[str, Instance]:
    """Instances by address."""
    return {instance.address: instance for instance in instances}
