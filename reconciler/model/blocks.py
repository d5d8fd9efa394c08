"""What a project says of recorded things rather than of wanted ones: ``[[moved]]`` and ``[[import]]`` blocks."""

from __future__ import annotations

from msgspec import Struct

from reconciler.model.address import Address
from reconciler.model.diagnostics import Source


class MovedBlock(Struct, frozen=True):
    """``before`` is called ``after`` from now on. Two names without keys stand for all of their instances."""

    before: Address
    after: Address
    source: Source


class ImportBlock(Struct, frozen=True):
    """An existing run is to be the address's."""

    address: Address
    run_id: str
    source: Source
