"""What the controller exposes, and whether an expression of PromQL asks for nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import promql_parser as promql
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.watching.consent import Caps
from reconciler.watching.metrics import Metrics
from reconciler.watching.status import Mode, Status

TARGET = frozenset({"job", "instance"})  # labels that Prometheus gives to whatever it scrapes
_FREE = frozenset({"branch", "environment", "revision", "version"})  # labels whose values are others' words


@cache
def exposed() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """The series of every mode with every cap: the values of each label, by metric."""
    found: dict[str, dict[str, set[str]]] = {}
    for mode in Mode:
        status = Status(mode, "main", "prod", seen="c1", revision="c1")
        registry = Metrics(lambda status=status: status, Caps(86_400.0, 1, 1, 1.0)).registry  # type: ignore[misc]
        for family in text_string_to_metric_families(generate_latest(registry).decode()):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    labels.setdefault(label, set()).add(value)
    return {name: {label: frozenset(values) for label, values in labels.items()} for name, labels in found.items()}


def problems(expression: str) -> list[str]:
    """What it asks for that is never there, or why it is no PromQL. Grafana's variables may stand in it."""
    try:
        parsed = promql.parse(expression.replace("$__rate_interval", "5m"))
    except ValueError as problem:
        return [str(problem)]
    if any(matcher.name == "__name__" for one in _selectors(parsed) for matcher in one.matchers.matchers):
        return ["a metric is named by its name, not by a matcher"]
    known = TARGET.union(*(exposed().get(one.name, ()) for one in _selectors(parsed)))
    found = [said for one in _selectors(parsed) for said in _selector(one)]
    return [*found, *(f"no label {label} is there to group by" for label in _grouping(parsed) if label not in known)]


def _nodes(parsed: Any) -> list[Any]:
    nodes: list[Any] = []
    promql.walk(parsed, lambda node: nodes.append(node))
    return nodes


def _selectors(parsed: Any) -> Iterator[Any]:
    return (node for node in _nodes(parsed) if isinstance(node, promql.VectorSelector))


def _selector(one: Any) -> Iterator[str]:
    if one.name not in exposed():
        yield f"there is no metric {one.name}"
        return
    for matcher in one.matchers.matchers:
        values = exposed()[one.name].get(matcher.name)
        if matcher.name in TARGET | _FREE:
            continue
        if values is None:
            yield f"{one.name} has no label {matcher.name}"
        else:
            exact = matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual)
            for word in [matcher.value] if exact else matcher.value.split("|"):
                if word not in values:
                    yield f"{one.name} has no {matcher.name} {word!r}"


def _grouping(parsed: Any) -> Iterator[str]:
    for node in _nodes(parsed):
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql.AggregateExpr) and modifier:
            yield from modifier.labels
        elif isinstance(node, promql.BinaryExpr) and modifier:
            yield from modifier.matching.labels if modifier.matching else ()
            yield from modifier.group_labels or ()


def result_labels(expression: str) -> frozenset[str]:
    """The labels that what an expression gives may have."""
    return _labels(promql.parse(expression.replace("$__rate_interval", "5m")))


def _labels(node: Any) -> frozenset[str]:
    match node:
        case promql.VectorSelector():
            return TARGET.union(exposed().get(node.name, ()))
        case promql.MatrixSelector():
            return _labels(node.vector_selector)
        case promql.AggregateExpr():
            by = node.modifier is not None and node.modifier.type == promql.AggModifierType.By
            return frozenset(node.modifier.labels) if by else frozenset()
        case promql.BinaryExpr():
            modifier = node.modifier
            if modifier and modifier.matching:
                assert modifier.card == promql.VectorMatchCardinality.ManyToOne, "written here so far"
                return _labels(node.lhs).union(modifier.group_labels or ())
            return _labels(node.lhs) | _labels(node.rhs)
        case promql.Call():
            return frozenset() if node.func.name == "absent" else frozenset().union(*map(_labels, node.args))
        case promql.ParenExpr() | promql.UnaryExpr():
            return _labels(node.expr)
    return frozenset()
