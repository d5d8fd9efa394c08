"""The OpenAPI document as a judge of what is asked and answered; openapi-core does the judging."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.testing import MockRequest, MockResponse

DOCUMENT = Path(__file__).parents[1] / "data" / "openapi.yaml"
SERVICE = "https://df-api.dataframer.ai"  # the document's own server: every request is judged as if it went there


def check_request(
    method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
) -> None:
    """Raise openapi-core's own exceptions for a request that the document doesn't allow."""
    _judge().validate_request(_request(method, path, query, headers, body))


def check_response(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise for an answer that the document doesn't allow: its status, a value, a field that it doesn't declare.

    What the document doesn't hold (signed links, unknown paths and methods) is let through.
    """
    request = _request(method, path, {}, {}, b"")
    response = MockResponse(body, status, dict(headers), headers.get("content-type", "").partition(";")[0])
    try:
        _judge().validate_response(request, response)
    except PathError:
        return
    assert status != 204 or body == b""


def _request(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> MockRequest:
    return MockRequest(SERVICE, method.lower(), path, args=dict(query), headers=dict(headers), data=body or None)


@cache
def _judge() -> OpenAPI:
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = {name: _merged(schema, schemas) for name, schema in schemas.items()}
    return OpenAPI.from_dict(document, config=Config(additional_properties_default_policy="forbid"))


def _merged(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """`allOf` of objects as one object: each part alone would forbid the fields of the others."""
    if "$ref" in schema:
        return _merged(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    parts = [_merged(part, schemas) for part in schema.get("allOf", [])]
    if not parts or any("properties" not in part for part in parts):
        return schema
    properties = {name: value for part in parts for name, value in part["properties"].items()}
    required = [name for part in parts for name in part.get("required", [])]
    # OpenAPI 3.0 doesn't allow an empty list of required fields.
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})
