"""``reconciler comment`` as it is typed: its words, its exit codes, and that the token is in none of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.forks import forks
from tests.acceptance.project import TIMEOUT, Done, Project, said
from tests.acceptance.terminal import answered, terminal
from tests.forge.fake import DIGEST, GITHUB, TOKEN, FakeForge, Fault, comment_text

ONE = pytest.mark.parametrize("forge", [GITHUB], indirect=True)  # where providers do not differ


@pytest.fixture
def job(tmp_path: Path, forge: FakeForge) -> Iterator[Job]:
    made = Job(tmp_path, forge)
    yield made
    made.close()


class Job(Project):
    """A job in a provider's CI; its folder holds no project."""

    def __init__(self, folder: Path, forge: FakeForge) -> None:
        super().__init__(folder, "emulator")
        self.forge = forge
        self.env |= forge.environment()

    def comment(self, *args: str, text: str = "", env: dict[str, str | None] | None = None) -> Done:
        done = self.run("-vv", "comment", "--provider", self.forge.kind, *args, input=text, env=env)
        assert TOKEN not in said(done)
        assert "Traceback" not in said(done)
        return done


def test_from_standard_input(job: Job) -> None:
    for words in ("Posted the plan's comment", "The plan's comment says so already"):
        done = job.comment(text=comment_text())
        assert (done.returncode, done.stdout) == (0, f"{words}: {job.forge.address(101)}\n")
    done = job.comment("-", text=comment_text("3 to create"))
    assert (done.returncode, done.stdout) == (0, f"Updated the plan's comment: {job.forge.address(101)}\n")
    assert [item.body for item in job.forge.written] == [comment_text("3 to create")]
    assert "/user: " in done.stderr  # -vv logs


@ONE
def test_from_a_file(job: Job) -> None:
    path = job.folder / "plan.md"
    path.write_bytes(b"\xef\xbb\xbf" + comment_text().encode())
    assert job.comment(str(path)).returncode == 0
    assert [item.body for item in job.forge.written] == [comment_text()]


UNUSABLE = {
    "": "empty: the command",
    "\n \n": "empty: the command",
    "## Plan\n": "not a plan's comment",
    "\n" + comment_text(): "not a plan's comment",
}


@ONE
@pytest.mark.parametrize("text", UNUSABLE, ids=repr)
def test_what_is_no_plan_is_not_posted(job: Job, text: str) -> None:
    done = job.comment(text=text)
    assert done.returncode == 1
    assert UNUSABLE[text] in done.stderr
    assert job.forge.asked == []


@ONE
@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff", "not UTF-8"), (None, "No such file"), (b"x" * (2**24 + 1), "more than 16 MiB")]
)
def test_files_that_can_not_be_read(job: Job, content: bytes | None, said: str) -> None:
    path = job.folder / "plan.md"
    if content is not None:
        path.write_bytes(content)
    done = job.comment(str(path))
    assert done.returncode == 1
    assert f"{path}" in done.stderr
    assert said in done.stderr


@ONE
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--digest", "plan.md"], "takes no FILE"),
        (["--folder", "x"], "go with --digest"),
        (["--commit", "x"], "go with --digest"),
        (["--digest", "--number", "7", "--commit", "x"], "exclude each other"),
        (["--number", "0"], "--number"),
        (["--provider", "gitea"], "--provider"),
    ],
)
def test_options_that_do_not_go_together(job: Job, args: list[str], said: str) -> None:
    done = job.comment(*args, text=comment_text())
    assert done.returncode == 1
    assert said in done.stderr
    assert job.forge.asked == []


@ONE
def test_a_terminal_is_told_what_to_type(job: Job) -> None:
    with terminal() as (ours, theirs):
        told = forks().start(["comment", "--provider", "github"], job.environment(), job.root, [theirs] * 3)
        os.close(theirs)
        shown = answered(ours, [])
        assert forks().wait(["comment"], told, TIMEOUT) == 1
    assert "reconciler plan --format markdown | reconciler comment" in shown.replace("\r\n", " ")


def test_everything_that_is_missing(job: Job) -> None:
    names = list(job.forge.environment())
    done = job.comment(text=comment_text(), env=dict.fromkeys(names))
    assert done.returncode == 1
    for name in names[:1] + names[2:3]:
        assert f"  {name}: " in done.stderr
    assert "--number N" in done.stderr
    assert done.stdout == ""


@ONE
def test_the_environment_of_the_text_must_be_the_one_that_is_named(job: Job) -> None:
    text = comment_text(environment="staging")
    for env, code in (("staging", 0), ("production", 1)):
        done = job.run("--env", env, "comment", "--provider", job.forge.kind, input=text)
        assert done.returncode == code
    assert "environment 'staging', not of --env 'production'" in done.stderr
    assert len(job.forge.written) == 1


def test_a_plan_that_is_too_long_is_posted_in_short_and_fails(job: Job) -> None:
    job.forge.limit = 500
    for words in ("Posted", "The plan's comment says so already"):
        done = job.comment(text=comment_text() + "x" * 1_000)
        assert done.returncode == 1
        assert done.stdout.startswith(words)
        assert "too long for a comment" in done.stderr
        assert "--max-bytes" in done.stderr


@ONE
def test_what_else_to_know_goes_to_standard_error(job: Job) -> None:
    job.forge.write(comment_text("1 to create"))
    job.forge.fault("update", Fault(403))
    done = job.comment(text=comment_text())
    assert (done.returncode, done.stdout) == (0, f"Posted the plan's comment: {job.forge.address(102)}\n")
    assert "can't be changed (HTTP 403)" in done.stderr
    assert job.forge.address(101) in done.stderr


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_refusal_is_told_and_fails(job: Job, status: int) -> None:
    job.forge.write(comment_text("1 to create"))
    echo = b'{"message": "no \\u001b[31m ' + TOKEN.encode() + b'"}'
    job.forge.fault("update", Fault(status, echo))
    job.forge.fault("post", Fault(status, echo))
    done = job.comment(text=comment_text())
    assert (done.returncode, done.stdout) == (1, "")
    assert f"HTTP {status}" in done.stderr
    assert "(secret)" in done.stderr
    assert "\x1b[31m" not in done.stderr
    assert "outdated" in done.stderr


def test_the_digest_alone_is_printed(job: Job) -> None:
    job.forge.merged(7)
    job.forge.write(comment_text())
    other = "sha256:" + "7b" * 32
    job.forge.write(comment_text(environment="staging", folder="teams/evals", digest=other))
    after_merge = {"GITHUB_REF": "refs/heads/main", "CI_MERGE_REQUEST_IID": None}
    done = job.comment("--digest", env=after_merge)
    assert (done.returncode, done.stdout) == (0, f"{DIGEST}\n")
    args = ["--env", "staging", "comment", "--provider", job.forge.kind, "--digest", "--folder", "./teams/evals/"]
    assert job.expect(0, *args, env=after_merge).stdout == f"{other}\n"
    done = job.comment("--digest", "--folder", "elsewhere", "--number", "7")
    assert (done.returncode, done.stdout) == (1, "")
    assert "folder 'elsewhere'" in done.stderr
    assert {item.method for item in job.forge.asked} == {"GET"}


@ONE
def test_the_folder_is_that_of_the_project_in_its_repository(job: Job) -> None:
    (job.root / ".git").mkdir()
    (job.root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    for name in ("objects", "refs"):
        (job.root / ".git" / name).mkdir()
    (job.root / "teams" / "evals").mkdir(parents=True)
    job.forge.write(comment_text(folder="teams/evals"))
    command = ["-C", str(job.root / "teams" / "evals"), "comment", "--provider", job.forge.kind, "--digest"]
    assert job.run(*command).stdout == f"{DIGEST}\n"
    assert job.comment("--digest").returncode == 1


@ONE
def test_nothing_is_told_where_only_errors_are_wanted(job: Job) -> None:
    done = job.run("--quiet", "comment", "--provider", job.forge.kind, input=comment_text())
    assert (done.returncode, said(done)) == (0, "")
    assert job.run("--quiet", "comment", "--provider", job.forge.kind, "--digest").stdout == f"{DIGEST}\n"
