"""The tables of the configuration, as pydantic checks them: types, bounds, enumerations, known keys.

Rules across fields are in ``rules``. Bounds and enumerations of run fields come from the create call's reference page.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from state.postgres.url import WORKSPACE_PATTERN as _WORKSPACE

_strict = with_config(ConfigDict(extra="forbid", strict=True))

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*$"
UUID_PATTERN = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
DURATION_PATTERN = r"^\d{1,9}(\.\d{1,3})?(ms|s|m|h)$"
WORKSPACE_PATTERN = f"^{_WORKSPACE}$"
RATE_PATTERN = r"^\d{1,9}(\.\d{1,3})?/(s|m|h)$"
# What a person may write, in words, for each pattern above.
PATTERN_WORDS = {
    NAME_PATTERN: "a name of letters, digits, _ and -, not starting with a digit or -",
    UUID_PATTERN: 'a spec id, a UUID such as "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"',
    DURATION_PATTERN: 'a duration such as "60s", "15m" or "2h"',
    WORKSPACE_PATTERN: 'the name of a workspace, such as "search" or "search/production"',
    RATE_PATTERN: 'a rate such as "5/s" or "100/m"',
}

UNBOUNDED = 2**31 - 1  # where the service names no upper bound, what any integer column holds

SpecId = Annotated[str, Field(pattern=UUID_PATTERN)]
Alias = Annotated[str, Field(pattern=NAME_PATTERN)]
Duration = Annotated[str, Field(pattern=DURATION_PATTERN)]
Model = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1)]


@_strict
class SecretTable(TypedDict, total=False):
    """A reference to a secret: one of the two."""

    env: Text
    file: Text


@_strict
class LifecycleTable(TypedDict, total=False):
    """How an instance is treated."""

    protect: bool
    on_remove: Literal["cancel", "keep", "delete"]
    on_change: Literal["replace", "keep"]
    max_attempts: Annotated[int, Field(ge=1, le=UNBOUNDED)]
    min_samples: Annotated[int, Field(ge=0, le=UNBOUNDED)]
    rerun: Annotated[int, Field(ge=0, le=UNBOUNDED)]


@_strict
class RunTable(TypedDict, total=False):
    """A declaration, or [defaults]: the run fields by their API names, the ways to name a spec, and the lifecycle."""

    spec: Alias
    spec_name: Text
    spec_id: SpecId
    number_of_samples: Annotated[int, Field(ge=1, le=20_000)]
    spec_version: Literal["latest"] | Annotated[int, Field(ge=1, le=UNBOUNDED)]
    generation_model: Model
    outline_model: Model
    revision_model: Model
    revision_types: list[Literal["coherence_flow", "consistency", "distinguishability", "conformance"]]
    filtering_types: list[Literal["structural", "conformance"]]
    max_revision_cycles: Annotated[int, Field(ge=1, le=5)]
    seed_shuffling_level: Literal["none", "sample", "field", "prompt"]
    max_examples_in_prompt: Annotated[int, Field(ge=1, le=UNBOUNDED)]
    unified_multifield: bool
    generation_thinking_budget: Annotated[int, Field(ge=1024, le=UNBOUNDED)]
    outline_thinking_budget: Annotated[int, Field(ge=1024, le=UNBOUNDED)]
    revision_thinking_budget: Annotated[int, Field(ge=1024, le=UNBOUNDED)]
    databricks_client_id: SecretTable
    databricks_client_secret: SecretTable
    databricks_api_base: SecretTable
    skip_outline: bool
    tools: list[Literal["calculator"]]
    enable_revisions: bool
    lifecycle: LifecycleTable


@_strict
class ApiTable(TypedDict, total=False):
    """The service."""

    base_url: Text
    api_key: SecretTable
    extra_models: list[Model]
    timeout: Duration


@_strict
class StateTable(TypedDict, total=False):
    """Where the state is kept."""

    url: Text | SecretTable
    workspace: Annotated[str, Field(pattern=WORKSPACE_PATTERN)]


@_strict
class ApplyTable(TypedDict, total=False):
    """How submissions are paced."""

    parallelism: Annotated[int, Field(ge=1, le=1000)]
    max_active: Annotated[int, Field(ge=0, le=UNBOUNDED)]
    submit_rate: Annotated[str, Field(pattern=RATE_PATTERN)]
    resubmit_absent_after: Literal[""] | Duration


SpecsTable = dict[str, SpecId]
