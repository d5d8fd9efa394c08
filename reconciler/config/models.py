"""The tables of the configuration, as pydantic checks them: types, bounds, enumerations, known keys.

Rules across fields are in ``rules``. Bounds and enumerations of run fields come from the create call's reference page.
"""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from state.postgres.url import WORKSPACE_PATTERN as _WORKSPACE

_strict = with_config(ConfigDict(extra="forbid", strict=True))

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*$"
UUID_PATTERN = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
DURATION_PATTERN = r"^\d{1,9}(\.\d{1,3})?(ms|s|m|h)$"
WORKSPACE_PATTERN = f"^{_WORKSPACE}$"
RATE_PATTERN = r"^\d{1,9}(\.\d{1,3})?/(s|m|h)$"
RUN_ID_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._~:=+@-]{0,199}$"
# What a person may write, in words, for each pattern above.
PATTERN_WORDS = {
    NAME_PATTERN: "a name of letters, digits, _ and -, not starting with a digit or -",
    UUID_PATTERN: 'a spec id, a UUID such as "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"',
    DURATION_PATTERN: 'a duration such as "60s", "15m" or "2h"',
    WORKSPACE_PATTERN: 'the name of a workspace, such as "search" or "search/production"',
    RATE_PATTERN: 'a rate such as "5/s" or "100/m"',
    RUN_ID_PATTERN: 'the id of a run, such as "3c90c3cc-0d44-4b50-8888-8dd25736052a"',
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


Samples = Annotated[int, Field(ge=1, le=UNBOUNDED)]  # of one run at most 20,000: a rule, for shards may share more
Version = Literal["latest"] | Annotated[int, Field(ge=1, le=UNBOUNDED)]
RevisionTypes = list[Literal["coherence_flow", "consistency", "distinguishability", "conformance"]]
FilteringTypes = list[Literal["structural", "conformance"]]
Cycles = Annotated[int, Field(ge=1, le=5)]
Shuffling = Literal["none", "sample", "field", "prompt"]
Examples = Annotated[int, Field(ge=1, le=UNBOUNDED)]
Budget = Annotated[int, Field(ge=1024, le=UNBOUNDED)]
Tools = list[Literal["calculator"]]


@_strict
class PointTable(TypedDict, total=False):
    """What the axes of a matrix may vary: the ways to name a spec, and the run fields but secrets."""

    spec: Alias
    spec_name: Text
    spec_id: SpecId
    number_of_samples: Samples
    spec_version: Version
    generation_model: Model
    outline_model: Model
    revision_model: Model
    revision_types: RevisionTypes
    filtering_types: FilteringTypes
    max_revision_cycles: Cycles
    seed_shuffling_level: Shuffling
    max_examples_in_prompt: Examples
    unified_multifield: bool
    generation_thinking_budget: Budget
    outline_thinking_budget: Budget
    revision_thinking_budget: Budget
    skip_outline: bool
    tools: Tools
    enable_revisions: bool


@_strict
class RunTable(PointTable, total=False):
    """[defaults], and what one instance sets for itself: the run fields by their API names, and the lifecycle."""

    databricks_client_id: SecretTable
    databricks_client_secret: SecretTable
    databricks_api_base: SecretTable
    lifecycle: LifecycleTable


@_strict
class MatrixTable(TypedDict, total=False):
    """Axes: each the values that it takes."""

    spec: Annotated[list[Alias], Field(min_length=1)]
    spec_name: Annotated[list[Text], Field(min_length=1)]
    spec_id: Annotated[list[SpecId], Field(min_length=1)]
    number_of_samples: Annotated[list[Samples], Field(min_length=1)]
    spec_version: Annotated[list[Version], Field(min_length=1)]
    generation_model: Annotated[list[Model], Field(min_length=1)]
    outline_model: Annotated[list[Model], Field(min_length=1)]
    revision_model: Annotated[list[Model], Field(min_length=1)]
    revision_types: Annotated[list[RevisionTypes], Field(min_length=1)]
    filtering_types: Annotated[list[FilteringTypes], Field(min_length=1)]
    max_revision_cycles: Annotated[list[Cycles], Field(min_length=1)]
    seed_shuffling_level: Annotated[list[Shuffling], Field(min_length=1)]
    max_examples_in_prompt: Annotated[list[Examples], Field(min_length=1)]
    unified_multifield: Annotated[list[bool], Field(min_length=1)]
    generation_thinking_budget: Annotated[list[Budget], Field(min_length=1)]
    outline_thinking_budget: Annotated[list[Budget], Field(min_length=1)]
    revision_thinking_budget: Annotated[list[Budget], Field(min_length=1)]
    skip_outline: Annotated[list[bool], Field(min_length=1)]
    tools: Annotated[list[Tools], Field(min_length=1)]
    enable_revisions: Annotated[list[bool], Field(min_length=1)]


@_strict
class OwnTable(RunTable, total=False):
    """What a declaration says of all of its instances."""

    shard_size: Annotated[int, Field(ge=1, le=20_000)]
    depends_on: list[Text]


@_strict
class DeclarationTable(OwnTable, total=False):
    """[run.NAME]: one run, or what expands into several."""

    for_each: Annotated[dict[str, RunTable], Field(min_length=1)]
    matrix: Annotated[MatrixTable, Field(min_length=1)]
    matrix_exclude: list[PointTable]
    matrix_include: list[RunTable]


MovedTable = TypedDict("MovedTable", {"from": Required[Text], "to": Required[Text]})
_strict(MovedTable)


@_strict
class ImportTable(TypedDict):
    """[[import]]: a run that exists is to be an address's."""

    to: Required[Text]
    id: Required[Annotated[str, Field(pattern=RUN_ID_PATTERN)]]


Scalar = str | bool | int | float


@_strict
class VariableTable(TypedDict, total=False):
    """[variables.NAME]. Without a default, a value has to be given."""

    type: Required[Literal["string", "integer", "number", "boolean", "list"]]
    default: Scalar | list[Scalar]
    description: str
    minimum: int | float
    maximum: int | float
    allowed: Annotated[list[Scalar], Field(min_length=1)]


Level = Literal["hard", "soft", "advisory"]
Count = Annotated[int, Field(ge=0, le=UNBOUNDED)]
Dollars = Annotated[float, Field(ge=0, le=UNBOUNDED)]
Models = list[Model]


@_strict
class CountLimitTable(TypedDict, total=False):
    """A limit in whole numbers, with what exceeding it means."""

    value: Required[Count]
    level: Level


@_strict
class CostLimitTable(TypedDict, total=False):
    """A limit in US dollars, with what exceeding it means."""

    value: Required[Dollars]
    level: Level


@_strict
class ModelsLimitTable(TypedDict, total=False):
    """Globs of model names, with what passing them by means."""

    value: Required[Models]
    level: Level


@_strict
class LimitsTable(TypedDict, total=False):
    """What one plan may do."""

    max_new_runs: Count | CountLimitTable
    max_new_samples: Count | CountLimitTable
    max_cost_usd: Dollars | CostLimitTable
    max_cancel: Count | CountLimitTable
    allowed_models: Models | ModelsLimitTable
    deny_models: Models | ModelsLimitTable


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
