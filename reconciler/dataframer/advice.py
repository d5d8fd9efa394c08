"""What a person can do about a status of the service."""

from __future__ import annotations

from typing import Final

_ADVICE: Final = {
    400: "the service finds the request wrong; correct the declaration",
    401: "the API key is absent, wrong, expired or revoked; check [api] api_key and the variable that it names",
    402: "the account's balance or plan does not allow it; nothing more is submitted until that is settled",
    403: "the key is valid but may not do this; ask for the permission or use another key",
    404: "there is no such thing, or it belongs to another account; check base_url, the id and the key",
    422: "the service finds the request wrong; correct the declaration",
    429: "the service asks to slow down; try again later, or lower [apply] parallelism",
}


def advice(status: int) -> str:
    """What to do, or an empty text."""
    return _ADVICE.get(status, "the service has a fault; nothing is lost, try again later" if status >= 500 else "")


def with_advice(status: int, words: str) -> str:
    """The service's words, with what to do about them."""
    hint = advice(status)
    return f"HTTP {status}: {words} ({hint})" if hint else f"HTTP {status}: {words}"
