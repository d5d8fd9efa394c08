"""Specs with their versions, and the seed datasets that some of them come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from msgspec import Struct
from sqlite_utils import Database

from reconciler.dataframer.emulator.messages import Json, Problem, timestamp
from reconciler.dataframer.emulator.storage import Storage

EMAIL = "you@emulator.example"

SUPPORT_TICKETS = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
PRODUCT_REVIEWS = "5b0f6c3a-2d1e-4c57-9b7a-3f8d2c1e4a60"
# Two specs of one name: a name is unique only within a dataset.
INVOICES_EU = "a4d2f1b7-8c39-4e05-b1d6-7e92c0a85f13"
INVOICES_US = "c7e83d90-15fa-4b62-8a4e-0d6b91f2375c"
FAILED_SPEC = "e19a7c42-6b0d-4f38-95c1-2a8e7d3b604f"
PROCESSING_SPEC = "f3c61d08-9e27-4a54-b83f-51d0a7e6c29b"

_REVIEWS_2025 = "0d9e4b16-7f52-4c83-a0e7-6c1b5d28f394"
_INVOICES_EU_DATA = "2c7a90e5-41d8-4f6b-9e03-b85f17d2c46a"
_INVOICES_US_DATA = "3e5b81f7-60c2-4d9a-8f14-c96a28e3d57b"

_BUILT_IN_SINCE = 1_772_352_000.0  # 1 March 2026, 08:00 UTC: the same in every new file
_DAY = 86_400.0

_SELECT = """
SELECT specs.*, datasets.name AS dataset_name, coalesce(datasets.dataset_type, 'MULTI_FILE') AS dataset_type
FROM specs LEFT JOIN datasets ON datasets.id = specs.dataset_id
"""


class StoredSpec(Struct, frozen=True):
    """What the create call needs to know about a spec; `versions` counts from 1."""

    id: str
    status: str
    seeded: bool
    versions: int


class Specs:
    """The spec and dataset calls, and methods that let tests change what they show."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def every(self) -> list[Json]:
        with self._storage.reading() as db:
            rows = list(db.query(f"{_SELECT} ORDER BY specs.created_at DESC, specs.rowid DESC"))
        return [_summary(row) for row in rows]

    def get(self, spec_id: str, include_versions: bool) -> Json:
        """Show a spec; its versions come newest first and carry no number. Raises `Problem` 404."""
        with self._storage.reading() as db:
            rows = list(db.query(f"{_SELECT} WHERE specs.id = ?", [spec_id.lower()]))
            versions = list(
                db.query(
                    "SELECT content_yaml, created_at FROM spec_versions WHERE spec_id = ? ORDER BY number DESC",
                    [spec_id.lower()],
                )
            )
        if not rows:
            raise Problem(404, "There is no such spec.")
        row = rows[0]
        shown = versions if row["status"] == "SUCCEEDED" else []
        return {
            **_summary(row),
            "updated_at": timestamp(row["updated_at"]),
            "created_by_email": EMAIL,
            "error": row["error"],
            "runtime_params": {},
            "content_yaml": shown[0]["content_yaml"] if shown else None,
            "versions": [
                {"content_yaml": version["content_yaml"], "created_at": timestamp(version["created_at"])}
                for version in (shown if include_versions else [])
            ],
        }

    def find(self, spec_id: str) -> StoredSpec | None:
        with self._storage.reading() as db:
            rows = list(
                db.query(
                    "SELECT id, status, dataset_id, (SELECT count(*) FROM spec_versions WHERE spec_id = specs.id)"
                    " AS versions FROM specs WHERE id = ?",
                    [spec_id.lower()],
                )
            )
        if not rows:
            return None
        row = rows[0]
        return StoredSpec(row["id"], row["status"], row["dataset_id"] is not None, row["versions"])

    def datasets(self) -> list[Json]:
        with self._storage.reading() as db:
            rows = list(db.query("SELECT * FROM datasets ORDER BY created_at DESC, rowid DESC"))
        return [{**row, "created_at": timestamp(row["created_at"]), "created_by_email": EMAIL} for row in rows]

    def add(
        self,
        name: str,
        *,
        spec_id: str | None = None,
        dataset_id: str | None = None,
        status: str = "SUCCEEDED",
        error: str | None = None,
        versions: int = 1,
    ) -> str:
        """Make a spec with that many versions and return its id."""
        made = spec_id or str(uuid4())
        with self._storage.writing() as db:
            _insert_spec(db, made, name, dataset_id, status, error, versions, self._clock())
        return made

    def add_version(self, spec_id: str, content_yaml: str | None = None) -> int:
        """Add a version, as editing the spec would, and return its number."""
        with self._storage.writing() as db:
            row = db.execute(
                "SELECT specs.name, (SELECT count(*) FROM spec_versions WHERE spec_id = specs.id)"
                " FROM specs WHERE id = ?",
                [spec_id],
            ).fetchone()
            if row is None:
                raise KeyError(spec_id)
            name, count = row
            _insert_version(db, spec_id, count + 1, content_yaml or _yaml(name, count + 1), self._clock())
            db.table("specs").update(spec_id, {"updated_at": self._clock()})
            return int(count) + 1

    def set_status(self, spec_id: str, status: str, error: str | None = None) -> None:
        """Put a spec into PROCESSING, SUCCEEDED or FAILED."""
        with self._storage.writing() as db:
            db.table("specs").update(spec_id, {"status": status, "error": error, "updated_at": self._clock()})

    def add_dataset(self, name: str, *, dataset_id: str | None = None, dataset_type: str = "MULTI_FILE") -> str:
        """Make a seed dataset and return its id; its name must be new."""
        made = dataset_id or str(uuid4())
        with self._storage.writing() as db:
            _insert_dataset(db, made, name, dataset_type, self._clock())
        return made


def fill(db: Database) -> None:
    """Put the built-in datasets and specs into a new file."""
    start = _BUILT_IN_SINCE
    _insert_dataset(db, _REVIEWS_2025, "Reviews 2025", "SINGLE_FILE", start)
    _insert_dataset(db, _INVOICES_EU_DATA, "Invoices EU", "MULTI_FILE", start)
    _insert_dataset(db, _INVOICES_US_DATA, "Invoices US", "MULTI_FILE", start)
    _insert_spec(db, SUPPORT_TICKETS, "Support tickets", None, "SUCCEEDED", None, 3, start)
    _insert_spec(db, PRODUCT_REVIEWS, "Product reviews", _REVIEWS_2025, "SUCCEEDED", None, 2, start)
    _insert_spec(db, INVOICES_EU, "Invoices", _INVOICES_EU_DATA, "SUCCEEDED", None, 1, start)
    _insert_spec(db, INVOICES_US, "Invoices", _INVOICES_US_DATA, "SUCCEEDED", None, 1, start)
    _insert_spec(db, FAILED_SPEC, "Medical notes", None, "FAILED", "The properties contradict each other.", 0, start)
    _insert_spec(db, PROCESSING_SPEC, "Chat logs", None, "PROCESSING", None, 0, start)


def _insert_dataset(db: Database, dataset_id: str, name: str, dataset_type: str, now: float) -> None:
    db.table("datasets").insert(
        {
            "id": dataset_id,
            "name": name,
            "description": None,
            "dataset_type": dataset_type,
            "file_count": 1 if dataset_type == "SINGLE_FILE" else 12,
            "folder_count": 4 if dataset_type == "MULTI_FOLDER" else 0,
            "created_at": now,
        }
    )


def _insert_spec(
    db: Database,
    spec_id: str,
    name: str,
    dataset_id: str | None,
    status: str,
    error: str | None,
    versions: int,
    now: float,
) -> None:
    db.table("specs").insert(
        {
            "id": spec_id,
            "name": name,
            "description": None,
            "status": status,
            "error": error,
            "dataset_id": dataset_id,
            "created_at": now,
            "updated_at": now + max(versions - 1, 0) * _DAY,
        }
    )
    for number in range(1, versions + 1):
        _insert_version(db, spec_id, number, _yaml(name, number), now + (number - 1) * _DAY)


def _insert_version(db: Database, spec_id: str, number: int, content_yaml: str, now: float) -> None:
    db.table("spec_versions").insert(
        {"spec_id": spec_id, "number": number, "content_yaml": content_yaml, "created_at": now}
    )


def _yaml(name: str, number: int) -> str:
    return f'spec:\n  description: "{name}, edition {number}"\n  data_property_variations:\n    - mood\n'


def _summary(row: Mapping[str, Any]) -> Json:
    names = ("id", "name", "description", "status", "dataset_id", "dataset_name", "dataset_type")
    return {**{name: row[name] for name in names}, "created_at": timestamp(row["created_at"])}
