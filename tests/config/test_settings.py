"""[api], [state] and [apply]: defaults, durations, rates, bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.config.settings import Settings, seconds
from reconciler.model.request import SecretRef
from tests.config.projects import desired, errors, places, table


def test_the_defaults(tmp_path: Path) -> None:
    found = desired(tmp_path, "")
    assert found.diagnostics == ()
    assert found.settings == Settings(
        base_url="https://df-api.dataframer.ai",
        api_key=SecretRef("env", "DATAFRAMER_API_KEY"),
        extra_models=(),
        timeout=60.0,
        state_url=None,
        parallelism=10,
        max_active=0,
        submit_rate=0.0,
        resubmit_absent_after=None,
    )
    assert found.settings.default_state_url == "sqlite:///.reconciler/state.db"
    assert Settings(base_url="emulator").default_state_url == "sqlite:///.reconciler/emulator/state.db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60s", 60),
        ("1m", 60),
        ("2h", 7200),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("0.125s", 0.125),
        ("999999999s", 999999999),
    ],
)
def test_durations(tmp_path: Path, text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)
    found = desired(tmp_path, f'[api]\ntimeout = "{text}"\n[apply]\nresubmit_absent_after = "{text}"\n')
    assert found.diagnostics == ()
    assert found.settings.timeout == pytest.approx(expected)
    assert found.settings.resubmit_absent_after == pytest.approx(expected)


BAD_DURATIONS = ["60", "s", "-1s", "1 s", "1d", "1.s", ".5s", "1e3s", "1m30s", "inf", "nan", "1S", "1s\n", "1_0s"]
API: list[tuple[str, Any]] = [("timeout", text) for text in [*BAD_DURATIONS, "", "0s", "0.000ms", "9" * 10 + "s", 60]]
API += [("extra_models", bad) for bad in ["x", [1], [""], ["a" * 201], {}]] + [("base_url", 5)]
STATE: list[tuple[str, Any]] = [("url", bad) for bad in ["", 5, True, [], {}, {"env": "A", "file": "b"}, {"env": ""}]]
APPLY: list[tuple[str, Any]] = [("parallelism", bad) for bad in [0, 1001, -1, "10", 1.0, True]]
APPLY += [("max_active", bad) for bad in [-1, "0", True, 0.0]]
APPLY += [
    ("submit_rate", bad) for bad in ["", "5", "5/", "/s", "-1/s", "5/d", "5 /s", "5/ms", "1e3/s", "inf/s", 5, "5/s\n"]
]
APPLY += [("resubmit_absent_after", bad) for bad in [*BAD_DURATIONS, " ", 5, False]]


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [(name, *pair) for name, pairs in (("api", API), ("state", STATE), ("apply", APPLY)) for pair in pairs],
)
def test_refused(tmp_path: Path, name: str, key: str, value: object) -> None:
    text = table(name, {key: value})
    found = errors(desired(tmp_path, text))
    assert {line.startswith(f"{key} = ") for line in places(found, text)} == {True}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("0/s", 0), ("5/s", 5), ("100/m", 100 / 60), ("3600/h", 1), ("0.5/s", 0.5), ("1.125/m", 1.125 / 60)],
)
def test_rates(tmp_path: Path, rate: str, expected: float) -> None:
    found = desired(tmp_path, f'[apply]\nsubmit_rate = "{rate}"\n')
    assert found.diagnostics == ()
    assert found.settings.submit_rate == pytest.approx(expected)


def test_everything_set(tmp_path: Path) -> None:
    root = (
        '[api]\nbase_url = "http://127.0.0.1:9/"\napi_key = { file = "key" }\nextra_models = ["a/b"]\ntimeout = "5s"\n'
        '[state]\nurl = { env = "WHERE" }\n[apply]\nparallelism = 1000\nmax_active = 7\nsubmit_rate = "2/s"\n'
        'resubmit_absent_after = "15m"\n'
    )
    found = desired(tmp_path, root)
    assert found.diagnostics == ()
    assert found.settings == Settings(
        base_url="http://127.0.0.1:9",
        api_key=SecretRef("file", "key"),
        extra_models=("a/b",),
        timeout=5.0,
        state_url=SecretRef("env", "WHERE"),
        parallelism=1000,
        max_active=7,
        submit_rate=2.0,
        resubmit_absent_after=900.0,
    )


def test_a_literal_password_in_the_state_s_address_is_refused_unsaid(tmp_path: Path) -> None:
    (error,) = errors(desired(tmp_path, '[state]\nurl = "postgresql://user:canary@host/db"\n'))
    assert "canary" not in repr(error)
