"""What the page on the emulator says is so: its specs, its pace, every fault and every example of one."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import asdict

from reconciler.dataframer.emulator import faults
from reconciler.dataframer.emulator.life import Pace
from tests.emulator.api import Api

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_spec(api: Api) -> None:
    shown = {(name, spec_id.strip("`")) for name, spec_id, _ in rows("Specs")}
    specs = api.get("/api/dataframer/specs/").json
    assert shown == {(spec["name"], spec["id"]) for spec in specs}
    for spec in specs:
        (says,) = [text for _, spec_id, text in rows("Specs") if spec["id"] in spec_id]
        versions = len(api.get(f"/api/dataframer/specs/{spec['id']}/?include_versions=true").json["versions"])
        assert f"{versions} versions" in says or versions < 2
        assert spec["status"] in says or spec["status"] == "SUCCEEDED"
        assert spec["dataset_name"] is None or spec["dataset_name"] in says


def test_the_pace() -> None:
    said = {float(number) for _, text in rows("Pace") for number in re.findall(r"([\d.]+) s\b", text)}
    assert said == set(asdict(Pace()).values())


def test_every_fault_and_each_example() -> None:
    examples = [example for cell, _ in rows("Failures on demand") for example in re.findall(r"`([^`]+)`", cell)]
    named = {re.split("[=@]", example)[0] for example in examples}
    assert named == {*faults._CALL_FAULTS, *faults._SETTINGS}
    for example in examples + re.findall(f"{faults.VARIABLE}=(\\S+) ", PAGE):
        assert faults.parse(example).text == example
