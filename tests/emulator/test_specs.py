"""Specs, their versions, and seed datasets."""

from __future__ import annotations

from collections import Counter

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.specs import FAILED_SPEC, PROCESSING_SPEC, PRODUCT_REVIEWS, SUPPORT_TICKETS
from tests.emulator.api import Api, Clock

SPECS = "/api/dataframer/specs/"


def test_the_built_in_specs(api: Api) -> None:
    specs = api.get(SPECS).json
    assert Counter(spec["name"] for spec in specs)["Invoices"] == 2
    assert {spec["status"] for spec in specs} == {"SUCCEEDED", "FAILED", "PROCESSING"}
    versions = {spec["name"]: api.get(f"{SPECS}{spec['id']}/?include_versions=true").json["versions"] for spec in specs}
    assert {name: len(found) for name, found in versions.items()} == {
        "Support tickets": 3,
        "Product reviews": 2,
        "Invoices": 1,
        "Medical notes": 0,
        "Chat logs": 0,
    }
    assert api.get(f"{SPECS}182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e/").json["name"] == "Support tickets"


def test_the_content_is_that_of_the_newest_version(api: Api, emulator: Emulator, clock: Clock) -> None:
    emulator.specs.add_version(SUPPORT_TICKETS, "spec: new\n")
    spec = api.get(f"{SPECS}{SUPPORT_TICKETS}/?include_versions=true").json
    assert spec["content_yaml"] == "spec: new\n"
    newest = max(spec["versions"], key=lambda version: version["created_at"])
    assert newest["content_yaml"] == "spec: new\n"
    assert len({version["content_yaml"] for version in spec["versions"]}) == 4
    assert all(set(version) == {"content_yaml", "created_at"} for version in spec["versions"])
    assert spec["updated_at"] == newest["created_at"]


def test_versions_are_shown_on_request_only(api: Api) -> None:
    assert api.get(f"{SPECS}{SUPPORT_TICKETS}/").json["versions"] == []
    assert api.get(f"{SPECS}{SUPPORT_TICKETS}/?include_versions=false").json["versions"] == []


def test_specs_that_are_not_ready_have_no_content(api: Api) -> None:
    failed = api.get(f"{SPECS}{FAILED_SPEC}/?include_versions=true").json
    assert failed["error"]
    assert (failed["content_yaml"], failed["versions"]) == (None, [])
    processing = api.get(f"{SPECS}{PROCESSING_SPEC}/?include_versions=true").json
    assert (processing["error"], processing["content_yaml"], processing["versions"]) == (None, None, [])


def test_datasets_belong_to_specs(api: Api, emulator: Emulator) -> None:
    dataset_id = emulator.specs.add_dataset("Letters 1990", dataset_type="MULTI_FOLDER")
    spec_id = emulator.specs.add("Letters", dataset_id=dataset_id, versions=2)
    datasets = {dataset["id"]: dataset for dataset in api.get("/api/dataframer/seed-datasets/").json}
    assert datasets[dataset_id]["name"] == "Letters 1990"
    assert datasets[dataset_id]["folder_count"] > 0
    reviews = api.get(f"{SPECS}{PRODUCT_REVIEWS}/").json
    assert datasets[reviews["dataset_id"]]["name"] == reviews["dataset_name"] == "Reviews 2025"
    letters = api.get(f"{SPECS}{spec_id}/").json
    assert (letters["dataset_name"], letters["dataset_type"]) == ("Letters 1990", "MULTI_FOLDER")
    assert api.get(SPECS).json[0]["id"] == spec_id


def test_an_unknown_spec_is_404(api: Api) -> None:
    assert api.get(f"{SPECS}00000000-0000-4000-8000-000000000000/").status == 404
