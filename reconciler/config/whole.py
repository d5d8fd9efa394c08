"""The tables of the configuration that are looked at in parts, as a whole: for the editors' schema."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from reconciler.config.bounds import Filled
from reconciler.config.models import (
    Alias,
    Budget,
    Cycles,
    Examples,
    FilteringTypes,
    Model,
    OwnTable,
    PointTable,
    RevisionTypes,
    RunTable,
    Samples,
    Shuffling,
    SpecId,
    Text,
    Tools,
    Version,
    strict,
)


@strict
class MatrixTable(TypedDict, total=False):
    """Axes: each the values that it takes."""

    spec: Annotated[list[Alias], Filled()]
    spec_name: Annotated[list[Text], Filled()]
    spec_id: Annotated[list[SpecId], Filled()]
    number_of_samples: Annotated[list[Samples], Filled()]
    spec_version: Annotated[list[Version], Filled()]
    generation_model: Annotated[list[Model], Filled()]
    outline_model: Annotated[list[Model], Filled()]
    revision_model: Annotated[list[Model], Filled()]
    revision_types: Annotated[list[RevisionTypes], Filled()]
    filtering_types: Annotated[list[FilteringTypes], Filled()]
    max_revision_cycles: Annotated[list[Cycles], Filled()]
    seed_shuffling_level: Annotated[list[Shuffling], Filled()]
    max_examples_in_prompt: Annotated[list[Examples], Filled()]
    unified_multifield: Annotated[list[bool], Filled()]
    generation_thinking_budget: Annotated[list[Budget], Filled()]
    outline_thinking_budget: Annotated[list[Budget], Filled()]
    revision_thinking_budget: Annotated[list[Budget], Filled()]
    skip_outline: Annotated[list[bool], Filled()]
    tools: Annotated[list[Tools], Filled()]
    enable_revisions: Annotated[list[bool], Filled()]


@strict
class DeclarationTable(OwnTable, total=False):
    """[run.NAME]: one run, or what expands into several."""

    for_each: Annotated[dict[str, RunTable], Field(min_length=1)]
    matrix: Annotated[MatrixTable, Field(min_length=1)]
    matrix_exclude: list[PointTable]
    matrix_include: list[RunTable]
