"""What a followed project may name of the controller's own: secrets, and the services that they are sent to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.config.settings import DEFAULT_BASE_URL, DEFAULT_KEY, EMULATOR
from reconciler.config.validate import Desired
from reconciler.model.request import SecretRef

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Allowed:
    """By default the service's own key, for the service itself, and the emulator, which gets none."""

    secrets: frozenset[SecretRef] = frozenset({DEFAULT_KEY})
    base_urls: frozenset[str] = frozenset({DEFAULT_BASE_URL, EMULATOR})

    def refused(self, desired: Desired, state_url: str | None) -> list[str]:
        """What a project names that it may not, a line each. ``state_url``: the operator's, in the place of its own."""
        settings, said = desired.settings, []
        if settings.base_url not in self.base_urls:
            said.append(
                f"[api] base_url is {settings.base_url}, and watch.toml allows {_listed(sorted(self.base_urls))}:"
                " [allow] base_urls"
            )
        for what, ref in _named(desired, state_url):
            if ref not in self.secrets:
                known = [str(one) for one in sorted(self.secrets, key=str)]
                said.append(f"{what} is the {ref}, and watch.toml allows {_listed(known)}: [allow] secrets")
        return said


def _named(desired: Desired, state_url: str | None) -> Iterator[tuple[str, SecretRef]]:
    """The secrets that a project names, each once, and what for."""
    settings = desired.settings
    yield "[api] api_key", settings.api_key
    if state_url is None and isinstance(settings.state_url, SecretRef):
        yield "[state] url", settings.state_url
    met = set()
    for instance in desired.instances:
        for name, ref in instance.secrets:
            if ref not in met:
                met.add(ref)
                yield f"{name} of {instance.address}", ref


def _listed(names: list[str]) -> str:
    more = f" … and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
