"""The 21 fields of the create call, as data. Source: the reference page of ``POST /api/dataframer/runs/``."""

from __future__ import annotations

from typing import Final

# In the order of the reference page; requests are sent and shown in it.
RUN_FIELDS: Final = (
    "spec_id",
    "number_of_samples",
    "spec_version",
    "generation_model",
    "outline_model",
    "revision_model",
    "revision_types",
    "filtering_types",
    "max_revision_cycles",
    "seed_shuffling_level",
    "max_examples_in_prompt",
    "unified_multifield",
    "generation_thinking_budget",
    "outline_thinking_budget",
    "revision_thinking_budget",
    "databricks_client_id",
    "databricks_client_secret",
    "databricks_api_base",
    "skip_outline",
    "tools",
    "enable_revisions",
)
SECRET_FIELDS: Final = ("databricks_client_id", "databricks_client_secret", "databricks_api_base")
MODEL_FIELDS: Final = ("generation_model", "outline_model", "revision_model")
LIST_FIELDS: Final = ("revision_types", "filtering_types", "tools")  # unordered
BUDGET_OF: Final = {
    "generation_thinking_budget": "generation_model",
    "outline_thinking_budget": "outline_model",
    "revision_thinking_budget": "revision_model",
}
REVISION_TYPES: Final = ("coherence_flow", "consistency", "distinguishability", "conformance")
FILTERING_TYPES: Final = ("structural", "conformance")
SHUFFLING_LEVELS: Final = ("none", "sample", "field", "prompt")
TOOLS: Final = ("calculator",)
MAX_SAMPLES: Final = 20_000
# enable_revisions is superseded: alone and true it stands for these, and is never sent itself.
LEGACY_EXPANSION: Final = {"revision_types": REVISION_TYPES, "filtering_types": ("structural",)}
# Only these need revision or filtering types beside them.
NEEDS_REVISIONS: Final = ("revision_model", "revision_thinking_budget", "max_revision_cycles")
# runtime_params reports every other field; spec_version stands on the run itself.
NEVER_REPORTED: Final = (*SECRET_FIELDS, "enable_revisions", "spec_id")
