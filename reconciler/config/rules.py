"""Rules across the fields of one instance, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache

from reconciler.config.findings import Finding, did_you_mean, error, warning
from reconciler.config.layers import SPEC_KEYS, Declared, Layer
from reconciler.dataframer.catalogue import Standing, reference_databricks_models, standing
from reconciler.dataframer.fields import BUDGET_OF, MAX_SAMPLES, MODEL_FIELDS, NEEDS_REVISIONS, SECRET_FIELDS

_standing = lru_cache(1024)(standing)  # thousands of instances name the same few models


class Rules:
    """The rules for all instances of a project. What they say depends on little of an instance, and most are alike."""

    def __init__(self, aliases: Mapping[str, str], extra_models: Iterable[str]) -> None:
        self._aliases, self._extra = aliases, tuple(extra_models)
        self._clean: set[tuple[object, ...]] = set()

    def findings(self, declared: Declared, unsound: Collection[str] = ()) -> list[Finding]:
        """As :func:`cross_field_findings`."""
        found = cross_field_findings(declared, self._aliases, self._extra, unsound)
        if not found and not unsound:
            self._clean.add(_likeness(declared))
        return found

    def kept(self, declared: Declared) -> bool:
        """Whether one that is alike, in all that the rules look at, was found to keep them. For sound values only."""
        return _likeness(declared) in self._clean


def _likeness(declared: Declared) -> tuple[object, ...]:
    values, get = declared.values, declared.values.get
    samples = get("number_of_samples")
    return (
        *values, get("spec"), *map(get, MODEL_FIELDS), not get("revision_types"), not get("filtering_types"),
        get("enable_revisions"), get("skip_outline"), samples is None or samples > MAX_SAMPLES,
        samples is not None and "lifecycle" in values and get("lifecycle", {}).get("min_samples", 0) > samples,
    )  # fmt: skip


def cross_field_findings(
    declared: Declared, aliases: Mapping[str, str], extra_models: Iterable[str], unsound: Collection[str] = ()
) -> list[Finding]:
    """Every rule whose fields are sound; ``unsound`` names those with problems of their own, lest they cascade."""
    rules: tuple[tuple[Iterator[Finding], tuple[str, ...]], ...] = (
        (_spec(declared, aliases), SPEC_KEYS),
        (_samples(declared), ("number_of_samples", "lifecycle")),
        (_models(declared, tuple(extra_models)), MODEL_FIELDS),
        (_budgets(declared), (*BUDGET_OF, *MODEL_FIELDS)),
        (_databricks(declared), (*SECRET_FIELDS, *MODEL_FIELDS)),
        (_revisions(declared), ("revision_types", "filtering_types", "enable_revisions", *NEEDS_REVISIONS)),
        (_outline(declared), ("skip_outline",)),
    )
    if not unsound:
        return [finding for rule, _ in rules for finding in rule]
    return [finding for rule, fields in rules if not any(field in unsound for field in fields) for finding in rule]


def _at(declared: Declared, key: str) -> tuple[Layer, tuple[str | int, ...]]:
    """Where to point at: the value in force, or the instance's table where there is none."""
    layer = declared.layer(key)
    return (declared.home, declared.home.path) if layer is None else (layer, layer.place(key))


def _error(declared: Declared, key: str, summary: str, detail: str, fix: str = "") -> Finding:
    layer, path = _at(declared, key)
    return error(layer.document, path, summary, detail, fix, address=_whose(declared, layer))


def _warning(declared: Declared, key: str, summary: str, detail: str, fix: str = "") -> Finding:
    layer, path = _at(declared, key)
    return warning(layer.document, path, summary, detail, fix, address=_whose(declared, layer))


def _whose(declared: Declared, layer: Layer) -> str | None:
    """A problem of shared defaults is told once, without an address."""
    return None if layer.is_default else declared.address


def _spec(declared: Declared, aliases: Mapping[str, str]) -> Iterator[Finding]:
    given = [key for key in SPEC_KEYS if key in declared.values]
    if len(given) != 1:
        said = "names no spec" if not given else f"names its spec in {len(given)} ways ({', '.join(given)})"
        fix = 'Write one of: spec = "ALIAS" (of [specs]), spec_id = "UUID", spec_name = "Name".'
        yield _error(declared, given[-1] if given else "", "One spec is needed", f"{declared.address} {said}.", fix)
    elif given == ["spec"] and declared.values.get("spec") not in aliases:
        alias = declared.values["spec"]
        known = ", ".join(sorted(aliases)) or "none"
        detail = f'"{alias}" is not defined in [specs].{did_you_mean(alias, aliases)}'
        yield _error(declared, "spec", "Unknown spec alias", detail, f"Defined: {known}.")


def _samples(declared: Declared) -> Iterator[Finding]:
    samples = declared.values.get("number_of_samples")
    if samples is None:
        fix = "Write number_of_samples = N, from 1 to 20,000."
        yield _error(declared, "", "A field is missing", f"{declared.address} has no number_of_samples.", fix)
    elif samples > MAX_SAMPLES:
        fix = "" if "[" in declared.address else "`shard_size = 20_000` beside it makes several runs of it."
        detail = f"number_of_samples must be from 1 to {MAX_SAMPLES}, not {samples}."
        yield _error(declared, "number_of_samples", "Value out of bounds", detail, fix)
    minimum = declared.values.get("lifecycle", {}).get("min_samples", 0)
    if samples is not None and minimum > samples:
        detail = f"min_samples is {minimum:,}, but only {samples:,} samples are asked for: no run could satisfy that."
        yield _error(declared, "lifecycle", "Value out of bounds", detail)


def _models(declared: Declared, extra: tuple[str, ...]) -> Iterator[Finding]:
    for field in MODEL_FIELDS:
        model = declared.values.get(field)
        if model is None:
            continue
        known, names = _standing(model, extra)
        match known:
            case Standing.MISSPELT:
                detail = f'{field}: "{model}" is in no list of models. Did you mean "{names[0]}"?'
                fix = f'If the name is right, write [api] extra_models = ["{model}"].'
                yield _error(declared, field, "Unknown model", detail, fix)
            case Standing.UNKNOWN:
                detail = f'{field}: "{model}" is in no list of models that this version has. The service decides.'
                fix = f'If the name is right, [api] extra_models = ["{model}"] silences this.'
                yield _warning(declared, field, "Unknown model", detail, fix)
            case Standing.DROPPED:
                detail = f'{field}: "{model}" was in the list of {names[0]}, but is not in that of {names[1]}.'
                yield _warning(declared, field, "Retired model", detail, "The service may refuse or replace it.")
            case Standing.LISTED:
                pass
    if declared.values.get("generation_model") is None:
        detail = f"{declared.address} declares no generation_model, and the service's default changes over time."
        yield _warning(declared, "", "Model left to the service", detail, "Declare generation_model.")


def _budgets(declared: Declared) -> Iterator[Finding]:
    for budget, field in BUDGET_OF.items():
        if declared.values.get(budget) is None:
            continue
        model = declared.values.get(field)
        if model is None or not model.endswith("-thinking"):
            said = f'{field} is "{model}"' if model else f"{field} is not declared"
            detail = f"{budget} acts only with a model that ends in -thinking, and {said}."
            fix = f"Declare a {field} that ends in -thinking, or remove {budget}."
            yield _error(declared, budget, "Budget without a thinking model", detail, fix)


def _databricks(declared: Declared) -> Iterator[Finding]:
    missing = [name for name in SECRET_FIELDS if declared.values.get(name) is None]
    for field in MODEL_FIELDS:
        model = declared.values.get(field)
        if not missing or model is None or not model.startswith("databricks/"):
            continue
        detail = f'{field} "{model}" needs databricks credentials; missing: {", ".join(missing)}.'
        fix = f'Write {missing[0]} = {{ env = "NAME" }} or {{ file = "path" }}, likewise the others.'
        if model in reference_databricks_models():
            yield _error(declared, field, "Databricks credentials are missing", detail, fix)
        else:
            detail = f'{field} "{model}": no databricks credentials of its own; the account must hold one.'
            yield _warning(declared, field, "Databricks credentials are missing", detail, fix)


def _revisions(declared: Declared) -> Iterator[Finding]:
    lists = [name for name in ("revision_types", "filtering_types") if declared.values.get(name) is not None]
    legacy = declared.values.get("enable_revisions")
    if legacy is not None and lists:
        detail = f"enable_revisions stands next to {' and '.join(lists)}, which replace it."
        yield _error(declared, "enable_revisions", "Deprecated switch in the way", detail, "Remove enable_revisions.")
    elif legacy is not None:
        fix = 'Write revision_types = ["coherence_flow", …] and filtering_types = ["structural"] instead.'
        meaning = "all revision types and structural filtering" if legacy else "no revisions, and is not sent"
        detail = f"enable_revisions = {'true' if legacy else 'false'} is superseded; it stands for {meaning}."
        yield _warning(declared, "enable_revisions", "Deprecated field", detail, fix)
    if legacy or any(declared.values.get(name) for name in lists):
        return
    for field in NEEDS_REVISIONS:
        if declared.values.get(field) is not None:
            detail = f"{field} acts only on revisions, and neither revision_types nor filtering_types is set."
            fix = f"Set revision_types or filtering_types, or remove {field}."
            yield _error(declared, field, "A field without effect", detail, fix)


def _outline(declared: Declared) -> Iterator[Finding]:
    if not declared.values.get("skip_outline"):
        return
    for field in ("outline_model", "outline_thinking_budget"):
        if declared.values.get(field) is not None:
            detail = f"{field} has nothing to act on with skip_outline = true."
            yield _warning(declared, field, "A field without effect", detail, f"Remove {field} or skip_outline.")
