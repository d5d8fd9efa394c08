"""Where the key may travel: to its own service over https or loopback, and nowhere else."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, run, said
from tests.service import KEY, RUNS, FakeService, answers


@pytest.mark.parametrize(
    "url",
    ["http://df-api.dataframer.ai", "http://127.0.0.1.example.com", "http://localhost.example.com:8000",
     "http://10.0.0.1", "http://user@127.0.0.1@example.com", "ftp://127.0.0.1", "df-api.dataframer.ai", ""],
)  # fmt: skip
def test_plain_http_goes_to_loopback_only(project: Project, service: FakeService, url: str) -> None:
    project.url = url
    project.declare(run("a"))
    for command in (["validate"], ["plan"], ["apply", "--auto-approve"]):
        told = said(project.expect(1, *command))
        assert project.line("base_url") in told
    assert service.requests == []


@pytest.mark.parametrize("url", ["http://localhost:1", "http://[::1]:1", "https://df-api.example.com", "emulator"])
def test_https_and_loopback_are_allowed(project: Project, url: str) -> None:
    project.url = url
    project.declare(run("a"))
    assert project.expect(0, "validate").returncode == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_create_is_not_followed(project: Project, service: FakeService, status: int) -> None:
    project.env |= {"RECONCILER_SETTLE_SECONDS": "3600", "RECONCILER_DEAD_SECONDS": "7200"}
    with FakeService() as thief:
        service.script_create(answers.redirected(thief.url + RUNS, status))
        project.declare(run("a"))
        project.apply("--no-wait", code=6)
        assert thief.requests == []
    assert len(service.creates) == 1


def test_a_redirected_list_is_not_followed(project: Project, service: FakeService) -> None:
    with FakeService() as thief:
        service.redirect_to = thief.url
        project.declare(run("a"))
        done = project.apply(code=1)
        assert KEY not in said(done)
        assert thief.requests == []
    assert service.creates == []


@pytest.mark.parametrize(
    "key", ["with\nnewline", "with\x00nul", "schlüssel", " "], ids=["newline", "nul", "ü", "blank"]
)
def test_a_key_that_no_header_can_hold_is_refused_unspoken(project: Project, service: FakeService, key: str) -> None:
    project.write("key", key.encode())
    project.declare(run("a"))
    config = (project.root / "reconciler.toml").read_text()
    project.write("reconciler.toml", config.replace("[api]\n", '[api]\napi_key = { file = "key" }\n'))
    done = project.apply(code=1)
    if key.strip():
        assert key not in said(done)
    assert service.creates == []


def test_proxies_of_the_environment_are_not_asked_for_loopback(project: Project, service: FakeService) -> None:
    with FakeService() as proxy:
        project.declare(run("a"))
        project.env |= {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url, "ALL_PROXY": proxy.url}
        project.apply()
        assert proxy.requests == []
    assert len(service.creates) == 1
