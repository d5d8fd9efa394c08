"""From a URL to a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from state.errors import StateBoundElsewhere, StateMissing, StateUrlInvalid
from state.memory.store import MemoryStore
from state.open import open_store
from state.sqlite.store import SqliteStore
from tests.state.samples import URL


def test_a_relative_path_starts_at_the_project(tmp_path: Path) -> None:
    store = open_store("sqlite:///.reconciler/state.db", base_url=URL, root=tmp_path, create=True)
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path / ".reconciler" / "state.db"
    assert store.path.exists()
    store.close()


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "state?#%.db"
    store = open_store(f"sqlite:///{file}", base_url=URL, root=tmp_path / "elsewhere", create=True)
    store.close()
    assert file.exists()
    assert not (tmp_path / "elsewhere").exists()


def test_memory(tmp_path: Path) -> None:
    store = open_store("memory:", base_url=URL, root=tmp_path)
    assert isinstance(store, MemoryStore)
    assert store.meta().base_url == URL


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hunter2@db/x",
        "sqlite://x",
        "",
        "hunter2",
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(tmp_path: Path, url: str) -> None:
    with pytest.raises(StateUrlInvalid) as caught:
        open_store(url, base_url=URL, root=tmp_path, create=True)
    assert "sqlite:///" in caught.value.advice
    assert "memory:" in caught.value.advice
    assert "hunter2" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_kind_is_told_before_the_workspace(tmp_path: Path) -> None:
    with pytest.raises(StateUrlInvalid, match="of the kind 'postgresq'"):
        open_store("postgresq://me@db/x", base_url=URL, root=tmp_path, workspace="search")


@pytest.mark.parametrize("read_only", [False, True])
def test_missing(tmp_path: Path, read_only: bool) -> None:
    with pytest.raises(StateMissing):
        open_store("sqlite:///sub/state.db", base_url=URL, root=tmp_path, read_only=read_only)
    assert list(tmp_path.iterdir()) == []


def test_reading_makes_nothing_even_when_told_to(tmp_path: Path) -> None:
    with pytest.raises(StateMissing):
        open_store("sqlite:///state.db", base_url=URL, root=tmp_path, create=True, read_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_state_of_another_service(tmp_path: Path, read_only: bool) -> None:
    open_store("sqlite:///state.db", base_url=URL, root=tmp_path, create=True).close()
    with pytest.raises(StateBoundElsewhere) as caught:
        open_store("sqlite:///state.db", base_url="https://other.example", root=tmp_path, read_only=read_only)
    assert URL in str(caught.value)
    assert "https://other.example" in str(caught.value)
