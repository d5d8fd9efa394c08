"""Text from outside never acts on a terminal or a log, wherever it stands and whichever command prints it."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest

from tests.acceptance.project import Done, Project, run
from tests.acceptance.terminal import converse
from tests.service import LETTERS, TICKETS, FakeService, answers

EVIL = "\x1b[31m\x1b]0;title\x07\x1b[2J\r\x08\x9b31m\t\x7f\u202e\u2066\u200b\u00ad\u2028\nforged: all is well"
SGR = re.compile(r"\x1b\[(?:[0-9]+;?)+m")
OURS = {"\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1;31m", "\x1b[1;32m", "\x1b[0m"}
DRAWING = re.compile(r"\x1b\[(?:[0-9;]*[ABGKm]|\?25[hl])|\r")  # what the live display does to a terminal


def obeyed(text: str) -> set[str]:
    """Characters of a text that a terminal would obey, and lines that something from outside has begun."""
    found = {character for character in text if character != "\n" and unicodedata.category(character)[0] == "C"}
    return found | {line for line in text.split("\n") if line.startswith("forged")}


def assert_harmless(*done: Done) -> None:
    for one in done:
        assert obeyed(one.stdout) == set(), one.stdout
        assert obeyed(one.stderr) == set(), one.stderr


@pytest.fixture
def hostile(project: Project, service: FakeService) -> Project:
    """A project whose files, and a service whose every word, are hostile."""
    service.specs[TICKETS].name = service.specs[LETTERS].name = f"Tickets{EVIL}"
    service.words = {"PROCESSING": f"BUSY{EVIL}", "PENDING": EVIL}
    service.reported = {"generation_model": f"rewritten{EVIL}", "news": {EVIL: [EVIL]}, "tools": [EVIL]}
    service.polls = 3
    project.declare(run("a"), run("b", 11))
    project.write(f"runs/more{EVIL}.toml", run("c", 12, generation_model=f"acme/{EVIL}"))
    service.script_create(answers.refused(422, f"no{EVIL}", {"X-Request-Id": "r"}), samples=11)
    return project


def test_with_pipes(hostile: Project, service: FakeService) -> None:
    assert_harmless(hostile.run("validate"), hostile.run("validate", "--json"))
    planned = hostile.run("-vv", "plan")
    assert_harmless(planned, hostile.run("plan", "--json"), hostile.run("plan", "--out", f"{hostile.root}/p{EVIL}"))
    assert "\\x1b[31m" in planned.stdout
    assert_harmless(hostile.run("show", f"{hostile.root}/p{EVIL}"))
    applied = hostile.run("-v", "apply", "--auto-approve")
    assert applied.returncode == 1
    assert "no\\x1b[31m" in applied.stdout + applied.stderr
    assert_harmless(applied)
    service.script_create(answers.refused(400, f"no{EVIL}"), samples=11)
    streamed = hostile.run("apply", "--auto-approve", "--json")
    assert all(json.loads(line) for line in streamed.stdout.splitlines())
    assert_harmless(streamed)
    for command in ("plan", "show", "output", "refresh"):
        assert_harmless(hostile.run(command), hostile.run(command, "--json"))
    assert_harmless(hostile.run("output", f"run.{EVIL}"), hostile.run("resolve", f"run.{EVIL}", "--abandon"))
    assert_harmless(hostile.run(EVIL), hostile.run("plan", f"--{EVIL}"), hostile.run("-C", f"/nowhere{EVIL}", "plan"))
    assert len(service.runs) == 2


@pytest.mark.parametrize(
    "content",
    [
        f'[run."{EVIL}"]\nspec = "tickets"\n',
        f"[run.a]\nspec = {json.dumps(EVIL)}\n",
        f"[run.a]\n{json.dumps(EVIL)} = 1\n",
        f"[{json.dumps(EVIL)}]\n",
        f"[run.a]\nspec_name = {json.dumps(EVIL)}\nnumber_of_samples = 1\n",
        f"[run.a]\nspec = 'tickets'\nnumber_of_samples = 1\nseed_shuffling_level = {json.dumps(EVIL)}\n",
    ],
    ids=["no TOML", "alias", "key", "table", "spec name", "word"],
)
def test_hostile_files(project: Project, content: str) -> None:
    project.declare()
    project.write("runs/x.toml", content)
    for command in (["validate"], ["validate", "--json"], ["plan"], ["plan", "--json"]):
        done = project.run(*command)
        assert_harmless(done)
        if command[-1] == "--json" and done.stdout:
            json.loads(done.stdout)


@pytest.mark.parametrize("run_id", ["..", "a/../../specs", EVIL, "", "x" * 10_000])
def test_a_run_under_an_odd_id_is_unknown_and_bought_once(project: Project, service: FakeService, run_id: str) -> None:
    service.script_create(answers.garbage(json.dumps({"id": run_id, "status": "PENDING"}).encode()))
    project.declare(run("a"))
    done = project.apply("--no-wait", code=6)
    assert_harmless(done, project.run("plan"), project.run("show"), project.run("show", "--json"))
    assert len(service.creates) == 1
    assert all(request.path.startswith("/api/dataframer/") and ".." not in request.path for request in service.requests)
    assert {request.path.count("/") for request in service.requests} <= {4, 5}


def test_on_a_terminal(hostile: Project, service: FakeService) -> None:
    del hostile.env["NO_COLOR"]
    for command in ("validate", "plan"):
        _, shown = converse(hostile, command, answer="")
        text = shown.replace("\r\n", "\n")  # the terminal's own line ends
        assert set(SGR.findall(text)) <= OURS | {"\x1b[31;1m", "\x1b[33;1m", "\x1b[36;1m"}
        assert obeyed(SGR.sub("", text)) == set()
    assert SGR.search(shown)
    code, shown = converse(hostile, "apply", answer="yes")
    assert code == 1
    assert "no\\x1b[31m" in shown
    assert obeyed(DRAWING.sub("", shown)) == set()
    assert len(service.runs) == 2
