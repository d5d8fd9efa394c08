"""What every key of the TOML files means, in one sentence or two: for the editors' schema and the reference page."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Meaning(Struct, frozen=True):
    """What a key is for, in Markdown, and what holds without it: a TOML value, or an empty text."""

    text: str
    default: str = ""


TABLES: Final = {
    "api": Meaning("How to reach the service."),
    "state": Meaning("Where it is recorded what was bought."),
    "apply": Meaning("How fast submissions go out."),
    "limits": Meaning("What one plan may do at most. A limit that is exceeded makes `plan` and `apply` exit with 3."),
    "variables": Meaning("Variables, which any text may use as `${var.NAME}`."),
    "specs": Meaning("Short names of specs: alias = spec id."),
    "defaults": Meaning(
        "Run fields and `lifecycle` for every declaration; in a file below `runs/`, for that file only."
    ),
    "run": Meaning("Declarations of runs, by name."),
    "moved": Meaning("Renames: what was recorded for one address belongs to another one. A rename never buys again."),
    "import": Meaning("Runs that exist already and are to be an address's, reviewed like any other change."),
}

SECRET: Final = {
    "env": Meaning("The environment variable that holds it."),
    "file": Meaning("The file that holds it, relative to the project."),
}

API: Final = {
    "base_url": Meaning(
        'The address of the service; `"emulator"` is the built-in one, without account and network. `http://` only to'
        " loopback.",
        '"https://df-api.dataframer.ai"',
    ),
    "api_key": Meaning(
        "Where the API key is found; the key itself is never written here.", '{ env = "DATAFRAMER_API_KEY" }'
    ),
    "extra_models": Meaning("Names of models that the built-in catalogue does not know yet.", "[]"),
    "timeout": Meaning("How long one submission may take as a whole.", '"60s"'),
}

STATE: Final = {
    "url": Meaning(
        'The state: `"sqlite:///PATH"`, relative to the project, or `"postgresql://USER@HOST/DATABASE"` for a team;'
        " never with a password in it. On the emulator `.reconciler/emulator/state.db`.",
        '"sqlite:///.reconciler/state.db"',
    ),
    "workspace": Meaning(
        "The name of this state in a PostgreSQL database, which holds many: one for each project and environment.",
        '"default"',
    ),
}

APPLY: Final = {
    "parallelism": Meaning("Submissions in flight at once.", "10"),
    "max_active": Meaning(
        "How many of this state's runs may be unfinished at once, unknown submissions included; 0 = no limit.", "0"
    ),
    "submit_rate": Meaning("Submissions a second, minute or hour; 0 = no limit.", '"0/s"'),
    "resubmit_absent_after": Meaning(
        "A submission that has been absent from the service for so long is sent again by itself, which may buy twice;"
        ' `""` = a person decides.',
        '""',
    ),
}

LIMITS: Final = {
    "max_new_runs": Meaning("Runs to buy, replacements and retries included."),
    "max_new_samples": Meaning("Samples to buy."),
    "max_cost_usd": Meaning(
        "Estimated cost of what is bought, in US dollars. A cost that can't be estimated exceeds it."
    ),
    "max_cancel": Meaning("Runs to cancel or delete."),
    "allowed_models": Meaning(
        "Globs of the models that may be used; empty = all. Each model that acts has to be declared then:"
        " `generation_model`, `outline_model` unless `skip_outline`, `revision_model` with revisions or filters.",
        "[]",
    ),
    "deny_models": Meaning(
        "Globs of models that must not be used. Each model that acts has to be declared then, as above.", "[]"
    ),
}

LIMIT: Final = {
    "value": Meaning("The limit."),
    "level": Meaning(
        "`hard`: such a plan can't be applied. `soft`: only with `--override NAME --reason TEXT`, which is recorded."
        " `advisory`: it is told.",
        '"hard"',
    ),
}

VARIABLE: Final = {
    "type": Meaning("What its values are."),
    "default": Meaning("Its value where nobody gives one. Without a default, a value has to be given."),
    "description": Meaning("What it is for."),
    "minimum": Meaning("The least number allowed."),
    "maximum": Meaning("The greatest number allowed."),
    "allowed": Meaning("The values that are allowed."),
}

RUN: Final = {
    "spec": Meaning("An alias of `[specs]`: what the samples look like. Or `spec_id`, or `spec_name`."),
    "spec_name": Meaning("The spec by its name, looked up on the service; a name that two specs have is an error."),
    "spec_id": Meaning("The spec by its id."),
    "number_of_samples": Meaning(
        "How many samples to generate. Needed, here or in `[defaults]`. One run takes 20,000 at most; with"
        " `shard_size`, this is the sum."
    ),
    "spec_version": Meaning(
        'A number pins the version of the spec; `"latest"` follows it, so that a newer one is a planned replacement.'
        " Without it, the newest is sent when the run is bought, and kept."
    ),
    "generation_model": Meaning(
        "The model that writes the samples. The service's default changes over time: declare it."
    ),
    "outline_model": Meaning("The model that drafts outlines."),
    "revision_model": Meaning("The model for revisions and filtering. Needs `revision_types` or `filtering_types`."),
    "revision_types": Meaning(
        "What revisions look at: `coherence_flow` (format and flow), `consistency` (contradictions),"
        " `distinguishability` (the style of the seeds; the spec needs a seed dataset), `conformance` (the properties"
        " asked for)."
    ),
    "filtering_types": Meaning(
        "Gates: samples with severe faults of format (`structural`), or without the properties asked for"
        " (`conformance`), are generated again."
    ),
    "max_revision_cycles": Meaning(
        "How many rounds of revision there are. 2 or 3 suit complex documents. Needs `revision_types` or"
        " `filtering_types`."
    ),
    "seed_shuffling_level": Meaning("How seed examples are shuffled between samples."),
    "max_examples_in_prompt": Meaning(
        "Seed examples in a prompt at most, instead of as many as fit into 10,000 tokens."
    ),
    "unified_multifield": Meaning("All fields of a sample at once rather than one by one, which costs less."),
    "generation_thinking_budget": Meaning(
        "Tokens for extended thinking. Needs a `generation_model` that ends in `-thinking`."
    ),
    "outline_thinking_budget": Meaning(
        "Tokens for extended thinking. Needs an `outline_model` that ends in `-thinking`."
    ),
    "revision_thinking_budget": Meaning(
        "Tokens for extended thinking. Needs a `revision_model` that ends in `-thinking`."
    ),
    "databricks_client_id": Meaning("Where this credential is found; for `databricks/` models, with the other two."),
    "databricks_client_secret": Meaning(
        "Where this credential is found; for `databricks/` models, with the other two."
    ),
    "databricks_api_base": Meaning("Where this address is found; for `databricks/` models, with the other two."),
    "skip_outline": Meaning(
        "A draft in one call, without outline and parts: faster and cheaper, not for very long documents."
        " `outline_model` and `outline_thinking_budget` are moot then."
    ),
    "tools": Meaning("Tools for the model: `calculator` verifies numbers, and roughly doubles cost and time."),
    "enable_revisions": Meaning(
        "Deprecated. Alone and true it stands for all revision types and structural filtering; next to `revision_types`"
        " or `filtering_types` it is an error."
    ),
    "lifecycle": Meaning("How the run is treated. Those of `[defaults]` hold for the keys that are not given here."),
    "shard_size": Meaning(
        'Splits `number_of_samples` into runs of so many samples, `run.NAME["0"]`, `run.NAME["1"]`, …; the last one'
        " gets what is left."
    ),
    "depends_on": Meaning(
        "Addresses or names of runs that must have succeeded before this one is submitted. It orders only."
    ),
    "for_each": Meaning('One run for each key, `run.NAME["KEY"]`; its table holds what differs there.'),
    "matrix": Meaning('One run for each combination of the values of these fields, `run.NAME["field=value,…"]`.'),
    "matrix_exclude": Meaning("Combinations to leave out; each entry names values of one or more axes."),
    "matrix_include": Meaning("Combinations to add; each entry sets every axis, and may set other fields."),
}

LIFECYCLE: Final = {
    "protect": Meaning(
        "A plan that would cancel, delete, replace or forget it is an error, also after the declaration is gone.",
        "false",
    ),
    "on_remove": Meaning(
        "When the declaration is gone: `cancel` stops the run if it works and keeps what it made, `keep` forgets it"
        " only, `delete` removes run and files from the service.",
        '"cancel"',
    ),
    "on_change": Meaning(
        "When the declaration asks for something else: `replace` buys it, `keep` shows a notice and buys nothing.",
        '"replace"',
    ),
    "max_attempts": Meaning("How many times one request may be bought in all when it FAILED.", "1"),
    "min_samples": Meaning("A run that completed fewer samples leaves this unmet.", "0"),
    "rerun": Meaning("Raising it buys again: the form of `--replace` that can be reviewed.", "0"),
}

MOVED: Final = {
    "from": Meaning("The address, or the name of a declaration, as it was."),
    "to": Meaning("The address, or the name of a declaration, as it is now."),
}

IMPORT: Final = {
    "to": Meaning("The address that the run is to be."),
    "id": Meaning("The id of the run on the service."),
}
