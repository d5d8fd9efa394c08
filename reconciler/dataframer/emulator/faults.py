"""Faults that the emulator commits on demand, named by the environment variable RECONCILER_EMULATOR_FAULTS.

Its value is a list, separated by commas or semicolons. `RATE` is a probability from 0 to 1; `@N` means the N-th call
and nothing else. Without `:all` a fault meets create calls only; with it, every call.

    refuse=RATE             refuse@N             the connection is refused; nothing was sent
    drop_before=RATE        drop_before@N        the connection breaks after the request, which is not executed
    drop_after=RATE         drop_after@N         the request is executed, and its answer lost
    status=CODE:RATE        status=CODE@N        answers CODE instead of executing the request
    status_after=CODE:RATE  status_after=CODE@N  executes the request and answers CODE
    garble=RATE             garble@N             executes the request and cuts its answer in the middle
    twin=RATE               twin@N               executes the request twice, as a repeating proxy would
    delay=SECONDS[:RATE]    delay=SECONDS@N      executes the request and holds its answer back
    retry_after=SECONDS                          adds Retry-After to every 429 and 503 of `status`
    stale_list=SECONDS                           the list leaves out runs that are younger ("2s" or "2")
    fail_runs=RATE          fail_runs@N          the run ends as FAILED, half of its samples made
    fail_samples=SHARE                           this share of the samples of every new run fails
    slow_runs=FACTOR                             new runs take this many times as long
    seed=N                                       another choice of the calls that the rates meet; default 0

`:all` goes last (`delay=0.2:all`, `status=429:0.05:all`). Where several faults meet one call, the first in the order
of this table decides, save that a delay comes on top. Over real HTTP, where it is too late to refuse a connection,
`refuse` breaks it like `drop_before`.

The same value meets the same calls again: what decides is the seed and the call's number. Calls are counted in the
emulator's file, for each value of the variable apart, create calls separately from others: a command that is repeated
with the variable still set goes on counting, and another value starts at 1.
"""

from __future__ import annotations

import hashlib
import os
import re

from msgspec import Struct

VARIABLE = "RECONCILER_EMULATOR_FAULTS"

_CALL_FAULTS = ("refuse", "drop_before", "status", "drop_after", "status_after", "garble", "twin", "delay", "fail_runs")
_WITH_STATUS = ("status", "status_after")
_SETTINGS = ("retry_after", "stale_list", "fail_samples", "slow_runs", "seed")
_NOT_FOR_ALL = ("twin", "fail_runs")
_ITEM = re.compile(r"(?P<name>[a-z_]+)(?:=(?P<value>[^@:]+)(?P<rate>:[^@:]+)?)?(?:@(?P<at>[0-9]+))?")


class CallFault(Struct, frozen=True):
    """One entry that meets calls: at the number `at`, else with probability `rate`.

    `value` is an HTTP status or a number of seconds, by `name`.
    """

    name: str
    value: float
    rate: float
    at: int | None
    every_call: bool


class Strike(Struct, frozen=True):
    """What meets one call: the name of the fault that decides, or None, its status, and the seconds of delay."""

    name: str | None = None
    status: int = 0
    delay: float = 0.0
    fails_run: bool = False


class Faults(Struct, frozen=True):
    """A parsed list. `text` is the list itself: calls are counted under it."""

    text: str = ""
    calls: tuple[CallFault, ...] = ()
    retry_after: float | None = None
    stale_list: float = 0.0
    fail_samples: float = 0.0
    slow_runs: float = 1.0
    seed: int = 0

    def counts(self, is_create: bool) -> bool:
        """Tell whether calls of this kind have to be counted."""
        return any(is_create or fault.every_call for fault in self.calls)

    def strike(self, is_create: bool, number: int) -> Strike:
        """Decide what meets the call with this number; a pure function."""
        met = [fault for fault in self.calls if (is_create or fault.every_call) and self._meets(fault, number)]
        deciding = [fault for fault in met if fault.name not in ("delay", "fail_runs")]
        first = min(deciding, key=lambda fault: _CALL_FAULTS.index(fault.name), default=None)
        return Strike(
            name=None if first is None else first.name,
            status=0 if first is None else int(first.value),
            delay=sum(fault.value for fault in met if fault.name == "delay"),
            fails_run=any(fault.name == "fail_runs" for fault in met),
        )

    def _meets(self, fault: CallFault, number: int) -> bool:
        if fault.at is not None:
            return fault.at == number
        digest = hashlib.sha256(f"{self.seed}/{fault.name}/{fault.value}/{number}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 < fault.rate


def from_environment() -> Faults:
    """Parse the variable, unset being the same as empty; raises ValueError like `parse`."""
    return parse(os.environ.get(VARIABLE, ""))


def parse(text: str) -> Faults:
    """Parse a list of faults; raises ValueError that names the variable, the entry and what is allowed."""
    calls: list[CallFault] = []
    settings: dict[str, float] = {}
    for entry in (part.strip() for part in re.split("[,;]", text)):
        if not entry:
            continue
        found = _ITEM.fullmatch(entry.removesuffix(":all"))
        if found is None:
            raise _mistake(entry, "it is neither NAME=VALUE nor NAME@N")
        name = found["name"]
        if name in _SETTINGS:
            settings[name] = _setting(entry, name, found)
        elif name in _CALL_FAULTS:
            calls.append(_call_fault(entry, name, found))
        else:
            raise _mistake(entry, f"the known names are {', '.join(_CALL_FAULTS + _SETTINGS)}")
    return Faults(
        text=text,
        calls=tuple(calls),
        retry_after=settings.get("retry_after"),
        stale_list=settings.get("stale_list", 0.0),
        fail_samples=settings.get("fail_samples", 0.0),
        slow_runs=settings.get("slow_runs", 1.0),
        seed=int(settings.get("seed", 0)),
    )


def _setting(entry: str, name: str, found: re.Match[str]) -> float:
    if found["value"] is None or found["rate"] or found["at"] or entry.endswith(":all"):
        raise _mistake(entry, f"it must be {name}=VALUE")
    highest = 1.0 if name == "fail_samples" else None
    value = _number(entry, found["value"].removesuffix("s") if name != "seed" else found["value"], highest)
    if name == "seed" and value != int(value):
        raise _mistake(entry, "a seed is a whole number")
    return value


def _call_fault(entry: str, name: str, found: re.Match[str]) -> CallFault:
    every_call = entry.endswith(":all")
    if every_call and name in _NOT_FOR_ALL:
        raise _mistake(entry, "it concerns create calls only")
    at = int(found["at"]) if found["at"] else None
    if at == 0:
        raise _mistake(entry, "calls are counted from 1")
    value, rate = found["value"], found["rate"]
    if name not in (*_WITH_STATUS, "delay"):
        if rate or (value is None) == (at is None):
            raise _mistake(entry, f"it must be {name}=RATE or {name}@N")
        return CallFault(name, 0.0, 0.0 if value is None else _number(entry, value, 1.0), at, every_call)
    if value is None or (rate and at):
        raise _mistake(entry, f"it must be {name}=VALUE:RATE or {name}=VALUE@N")
    if name == "delay":
        amount = _number(entry, value.removesuffix("s"), None)
    elif value.isdecimal() and 200 <= int(value) <= 599:
        amount = float(value)
    else:
        raise _mistake(entry, "a status is a number from 200 to 599")
    if rate is None and at is None and name != "delay":
        raise _mistake(entry, f"it must be {name}=CODE:RATE or {name}=CODE@N")
    return CallFault(name, amount, _number(entry, rate[1:], 1.0) if rate else 1.0, at, every_call)


def _number(entry: str, text: str, highest: float | None) -> float:
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text) is None:
        raise _mistake(entry, f"{text!r} is not a number")
    value = float(text)
    if highest is not None and value > highest:
        raise _mistake(entry, f"{text} is more than {highest:g}")
    return value


def _mistake(entry: str, why: str) -> ValueError:
    return ValueError(f"{VARIABLE}: {entry!r} is not understood: {why}.")
