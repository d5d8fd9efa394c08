"""Declarations that must be refused before anything is bought: what is written, where, and what must be said."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.acceptance.project import run

MARK = "  # wrong"  # ends the line that the error must name


@dataclass(frozen=True, slots=True)
class Invalid:
    """One wrong project. ``words`` are regular expressions (upper and lower case alike) that the output must hold."""

    name: str
    text: str  # follows the head of reconciler.toml; the wrong line ends in MARK
    words: tuple[str, ...]
    files: dict[str, str | bytes] = field(default_factory=dict)
    where: str | None = None  # file:line, where MARK can't stand


def wrong(name: str, key: str, value: str, *words: str, **others: object) -> Invalid:
    """One run with one wrong field: ``key = value`` as TOML text."""
    fields: dict[str, object] = {"number_of_samples": None if key == "number_of_samples" else 10} | others
    return Invalid(name, run("bad", 10, **fields) + f"{key} = {value}{MARK}\n", (r"run\.bad", *words))


NESTED = "{ a = " * 39 + "1" + " }" * 39
DOTTED = ".".join(["a"] * 40)
TWO_FILES: dict[str, str | bytes] = {"runs/one.toml": run("twice"), "runs/two.toml": "\n\n" + run("twice", 11)}
REVISED = {"revision_types": ["consistency"]}
LIMIT = "20[,_]?000"

INVALID = (
    wrong("samples-zero", "number_of_samples", "0", "number_of_samples", LIMIT),
    wrong("samples-too-many", "number_of_samples", "20001", "number_of_samples", LIMIT),
    wrong("samples-negative", "number_of_samples", "-5", "number_of_samples", LIMIT),
    wrong("samples-text", "number_of_samples", '"5"', "number_of_samples", "integer|whole number"),
    wrong("samples-true", "number_of_samples", "true", "number_of_samples", "integer|whole number"),
    wrong("samples-float", "number_of_samples", "5.0", "number_of_samples", "integer|whole number"),
    wrong("samples-nan", "number_of_samples", "nan", "number_of_samples", "integer|whole number"),
    wrong("samples-huge", "number_of_samples", "1" + "0" * 21, "number_of_samples", LIMIT),
    wrong("cycles", "max_revision_cycles", "6", "max_revision_cycles", r"\b5\b", **REVISED),
    wrong(
        "budget-small",
        "generation_thinking_budget",
        "1023",
        "1024",
        generation_model="anthropic/claude-haiku-4-5-thinking",
    ),
    wrong("budget-unthinking", "generation_thinking_budget", "2048", "generation_model", "-thinking"),
    wrong("outline-budget-unthinking", "outline_thinking_budget", "2048", "outline_model", "-thinking"),
    wrong("version-zero", "spec_version", "0", "spec_version", r"\b1\b"),
    wrong("version-word", "spec_version", '"newest"', "spec_version", "latest"),
    wrong("examples-zero", "max_examples_in_prompt", "0", "max_examples_in_prompt", r"\b1\b"),
    wrong("shuffling", "seed_shuffling_level", '"samples"', "did you mean", r"\bsample\b", r"\bprompt\b"),
    wrong("tool", "tools", '["calculater"]', "did you mean", "calculator"),
    wrong("filtering", "filtering_types", '["structual"]', "did you mean", "structural"),
    wrong("revision", "revision_types", '["consistancy"]', "did you mean", "consistency"),
    wrong("list-as-text", "revision_types", '"consistency"', "revision_types", "list|array"),
    wrong("yes", "unified_multifield", '"yes"', "unified_multifield", "boolean|true or false"),
    wrong(
        "model-dot",
        "generation_model",
        '"anthropic/claude-haiku-4.5"',
        "did you mean",
        "anthropic/claude-haiku-4-5",
        "extra_models",
    ),
    wrong("field-name", "revison_types", '["consistency"]', "did you mean", "revision_types"),
    wrong(
        "databricks",
        "generation_model",
        '"databricks/databricks-claude-haiku-4-5"',
        "databricks_client_id",
        "databricks_client_secret",
        "databricks_api_base",
    ),
    wrong(
        "databricks-incomplete",
        "generation_model",
        '"databricks/databricks-claude-haiku-4-5"',
        "databricks_api_base",
        databricks_client_id={"env": "A"},
        databricks_client_secret={"env": "B"},
    ),
    wrong(
        "literal-secret", "databricks_client_secret", '"dapi-literal-canary"', "databricks_client_secret", r"\benv\b"
    ),
    wrong("spec-id", "spec_id", '"abc"', "spec_id", "uuid", spec=None),
    wrong("spec-twice", "spec_id", '"182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"', "spec_id", r"\bspec\b"),
    wrong("alias", "spec", '"ticket"', "did you mean", "tickets", spec=None),
    wrong("revision-model-idle", "revision_model", '"anthropic/claude-haiku-4-5"', "revision_types", "filtering_types"),
    wrong("cycles-idle", "max_revision_cycles", "2", "revision_types", "filtering_types"),
    wrong("legacy-and-lists", "enable_revisions", "true", "enable_revisions", "revision_types", **REVISED),
    wrong("lifecycle-key", "lifecycle", "{ protekt = true }", "did you mean", "protect"),
    wrong("lifecycle-word", "lifecycle", '{ on_remove = "stop" }', "on_remove", "cancel", "keep", "delete"),
    wrong("lifecycle-attempts", "lifecycle", "{ max_attempts = 0 }", "max_attempts", r"\b1\b"),
    wrong("lifecycle-rerun", "lifecycle", "{ rerun = true }", "rerun", "integer|whole number"),
    Invalid("no-samples", f'[run.bad]{MARK}\nspec = "tickets"\n', (r"run\.bad", "number_of_samples")),
    Invalid("no-spec", f"[run.bad]{MARK}\nnumber_of_samples = 5\n", (r"run\.bad", r"\bspec\b", "spec_id", "spec_name")),
    Invalid("run-name", f'[run."1st try"]{MARK}\nspec = "tickets"\nnumber_of_samples = 5\n', ("1st try", "name")),
    Invalid("table", f"[defualts]{MARK}\nskip_outline = true\n", ("did you mean", "defaults")),
    Invalid(
        "api-key-literal",
        "",
        (r"\benv\b", "api_key"),
        where="reconciler.toml:2",
        files={"reconciler.toml": '[api]\napi_key = "sk_literal_canary"\nbase_url = "{url}"\n'},
    ),
    Invalid(
        "api-key-name",
        "",
        ("did you mean", "parallelism"),
        where="reconciler.toml:4",
        files={"reconciler.toml": '[api]\nbase_url = "{url}"\n[apply]\nparalelism = 3\n'},
    ),
    Invalid(
        "plain-http",
        "",
        ("https",),
        where="reconciler.toml:2",
        files={"reconciler.toml": '[api]\nbase_url = "http://df-api.example.com"\n'},
    ),
    Invalid("two-files", "", (r"run\.twice", r"runs/one\.toml:1\b"), TWO_FILES, "runs/two.toml:3"),
    Invalid(
        "in-runs-file",
        "",
        (r"run\.deep", "did you mean", "tools"),
        where="runs/a/b.toml:4",
        files={"runs/a/b.toml": run("deep").rstrip("\n") + '\ntoolz = ["calculator"]\n'},
    ),
    Invalid("api-in-runs-file", "", (r"\bapi\b",), {"runs/a.toml": '[api]\ntimeout = "5s"\n'}, "runs/a.toml:1"),
    Invalid("nested-40", f"[run.bad]\nx = {NESTED}{MARK}\n", (r"\b32\b",)),
    Invalid("dotted-40", f"[run.bad]\n{DOTTED} = 1{MARK}\n", (r"\b10\b",)),
    Invalid("syntax", f"[run.bad]\nspec = {MARK}\n", ("toml|syntax|invalid",)),
    Invalid("twice-in-one-file", run("bad") + "[run.bad]" + MARK + "\n", (r"\bbad\b",)),
    Invalid("not-utf8", "", ("utf-8",), {"runs/latin.toml": b'[run.a]\nspec = "t\xfcr"\n'}, "runs/latin.toml:2"),
    Invalid("too-large", "", ("8 ?MiB",), {"runs/big.toml": "# " + "x" * (8 << 20) + "\n"}, "runs/big.toml"),
)
