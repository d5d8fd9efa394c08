"""The tables of the configuration: types, bounds, enumerations, known keys. ``plain`` and pydantic check by them.

Rules across fields are in ``rules``. Bounds and enumerations of run fields come from the create call's reference page.
"""

from __future__ import annotations

from typing import Annotated, Literal, Required, TypeVar

from typing_extensions import TypedDict

from reconciler.config.bounds import Between, Chars, Filled, Matching
from state.postgres.url import WORKSPACE_PATTERN as _WORKSPACE

_Table = TypeVar("_Table")


def strict(table: _Table) -> _Table:
    """No other keys, and nothing is converted; as ``pydantic.with_config`` does, without importing it."""
    table.__pydantic_config__ = {"extra": "forbid", "strict": True}  # type: ignore[attr-defined]
    return table


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

SpecId = Annotated[str, Matching(UUID_PATTERN)]
Alias = Annotated[str, Matching(NAME_PATTERN)]
Duration = Annotated[str, Matching(DURATION_PATTERN)]
Model = Annotated[str, Chars(1, 200)]
Text = Annotated[str, Chars(1)]


@strict
class SecretTable(TypedDict, total=False):
    """A reference to a secret: one of the two."""

    env: Text
    file: Text


@strict
class LifecycleTable(TypedDict, total=False):
    """How an instance is treated."""

    protect: bool
    on_remove: Literal["cancel", "keep", "delete"]
    on_change: Literal["replace", "keep"]
    max_attempts: Annotated[int, Between(1, UNBOUNDED)]
    min_samples: Annotated[int, Between(0, UNBOUNDED)]
    rerun: Annotated[int, Between(0, UNBOUNDED)]


Samples = Annotated[int, Between(1, UNBOUNDED)]  # of one run at most 20,000: a rule, for shards may share more
Version = Literal["latest"] | Annotated[int, Between(1, UNBOUNDED)]
RevisionTypes = list[Literal["coherence_flow", "consistency", "distinguishability", "conformance"]]
FilteringTypes = list[Literal["structural", "conformance"]]
Cycles = Annotated[int, Between(1, 5)]
Shuffling = Literal["none", "sample", "field", "prompt"]
Examples = Annotated[int, Between(1, UNBOUNDED)]
Budget = Annotated[int, Between(1024, UNBOUNDED)]
Tools = list[Literal["calculator"]]


@strict
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


@strict
class RunTable(PointTable, total=False):
    """[defaults], and what one instance sets for itself: the run fields by their API names, and the lifecycle."""

    databricks_client_id: SecretTable
    databricks_client_secret: SecretTable
    databricks_api_base: SecretTable
    lifecycle: LifecycleTable


@strict
class OwnTable(RunTable, total=False):
    """What a declaration says of all of its instances."""

    shard_size: Annotated[int, Between(1, 20_000)]
    depends_on: list[Text]


MovedTable = TypedDict("MovedTable", {"from": Required[Text], "to": Required[Text]})
strict(MovedTable)


@strict
class ImportTable(TypedDict):
    """[[import]]: a run that exists is to be an address's."""

    to: Required[Text]
    id: Required[Annotated[str, Matching(RUN_ID_PATTERN)]]


Scalar = str | bool | int | float


@strict
class VariableTable(TypedDict, total=False):
    """[variables.NAME]. Without a default, a value has to be given."""

    type: Required[Literal["string", "integer", "number", "boolean", "list"]]
    default: Scalar | list[Scalar]
    description: str
    minimum: int | float
    maximum: int | float
    allowed: Annotated[list[Scalar], Filled()]


Level = Literal["hard", "soft", "advisory"]
Count = Annotated[int, Between(0, UNBOUNDED)]
Dollars = Annotated[float, Between(0, UNBOUNDED)]
Models = list[Model]


@strict
class CountLimitTable(TypedDict, total=False):
    """A limit in whole numbers, with what exceeding it means."""

    value: Required[Count]
    level: Level


@strict
class CostLimitTable(TypedDict, total=False):
    """A limit in US dollars, with what exceeding it means."""

    value: Required[Dollars]
    level: Level


@strict
class ModelsLimitTable(TypedDict, total=False):
    """Globs of model names, with what passing them by means."""

    value: Required[Models]
    level: Level


@strict
class LimitsTable(TypedDict, total=False):
    """What one plan may do."""

    max_new_runs: Count | CountLimitTable
    max_new_samples: Count | CountLimitTable
    max_cost_usd: Dollars | CostLimitTable
    max_cancel: Count | CountLimitTable
    allowed_models: Models | ModelsLimitTable
    deny_models: Models | ModelsLimitTable


@strict
class ApiTable(TypedDict, total=False):
    """The service."""

    base_url: Text
    api_key: SecretTable
    extra_models: list[Model]
    timeout: Duration


@strict
class StateTable(TypedDict, total=False):
    """Where the state is kept."""

    url: Text | SecretTable
    workspace: Annotated[str, Matching(WORKSPACE_PATTERN)]


@strict
class ApplyTable(TypedDict, total=False):
    """How submissions are paced."""

    parallelism: Annotated[int, Between(1, 1000)]
    max_active: Annotated[int, Between(0, UNBOUNDED)]
    submit_rate: Annotated[str, Matching(RATE_PATTERN)]
    resubmit_absent_after: Literal[""] | Duration


SpecsTable = dict[str, SpecId]
