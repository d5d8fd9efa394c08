"""What git is asked of a remote that nobody trusts."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.watching.place import Place, RemoteError, address_of, environment
from reconciler.watching.remote import Remote, SourceRefused
from tests.git import git


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A repository with one project in it, uncommitted."""
    folder = tmp_path / "owner" / "desk"
    (folder / "runs").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "reconciler.toml").write_text("[api]\n")
    (folder / "runs" / "a.toml").write_text("# a\n")
    (folder / "README.md").write_text("words")
    return folder


def commit(desk: Path) -> str:
    git(desk, "add", "--all")
    git(desk, "commit", "--quiet", "--allow-empty", "--message", "declare")
    return git(desk, "rev-parse", "HEAD")


def followed(desk: Path, **more: object) -> Remote:
    return Remote(Place(**{"url": str(desk), "timeout": 20.0, **more}), desk.parent / "repository")  # type: ignore[arg-type]


def taken(desk: Path, **more: object) -> dict[str, bytes]:
    remote = followed(desk, **more)
    newest = remote.newest()
    remote.fetch(newest)
    return remote.files(newest)


def test_it_brings_the_declarations_of_the_newest_commit_and_nothing_else(desk: Path) -> None:
    newest = commit(desk)
    assert followed(desk).newest() == newest
    assert taken(desk) == {"reconciler.toml": b"[api]\n", "runs/a.toml": b"# a\n"}


def test_a_project_in_a_folder(desk: Path) -> None:
    (desk / "teams" / "evals").mkdir(parents=True)
    (desk / "teams" / "evals" / "reconciler.toml").write_text("# evals\n")
    commit(desk)
    assert taken(desk, folder="teams/evals", url=f"file://{desk}") == {"reconciler.toml": b"# evals\n"}


def test_each_commit_makes_the_repository_anew(desk: Path) -> None:
    commit(desk)
    (desk / "big").write_bytes(os.urandom(600_000))
    commit(desk)
    taken(desk)
    (desk / "big").unlink()
    commit(desk)
    taken(desk)
    stored = sum(file.stat().st_size for file in (desk.parent / "repository").rglob("*") if file.is_file())
    assert stored < 100_000


def test_no_hook_filter_or_submodule_of_a_repository_is_run(desk: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for hook in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc"):
        script = desk / ".git" / "hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    (desk / ".gitattributes").write_text("*.toml filter=bad\n")
    (desk / ".gitmodules").write_text(f'[submodule "m"]\n\tpath = m\n\turl = ext::sh -c "touch {ran}"\n')
    commit(desk)
    for script in (desk / ".git" / "hooks").iterdir():
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    assert "reconciler.toml" in taken(desk)
    assert not ran.exists()


@pytest.mark.parametrize("path", ["runs", "environments", "reconciler.toml", "runs/b.toml", "runs/more"])
def test_a_link_is_refused(desk: Path, path: str) -> None:
    (desk / "runs" / "a.toml").unlink()
    place = desk / path
    if place.is_dir():
        place.rmdir()
    else:
        place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to("/etc/passwd")
    commit(desk)
    with pytest.raises(SourceRefused, match="it is a link"):
        taken(desk)


def test_a_submodule_where_declarations_belong_is_refused(desk: Path) -> None:
    newest = commit(desk)
    git(desk, "update-index", "--add", "--cacheinfo", f"160000,{newest},runs/sub")
    git(desk, "commit", "--quiet", "--message", "sub")
    with pytest.raises(SourceRefused, match="runs/sub"):
        taken(desk)


@pytest.mark.parametrize("other", ["runs/A.toml", "RUNS/a.toml", "runs/\u00e9.toml"])
def test_names_that_are_one_on_some_systems_are_refused(desk: Path, other: str) -> None:
    if "\u00e9" in other:
        (desk / "runs" / "e\u0301.toml").write_text("# decomposed\n")
    (desk / other).parent.mkdir(exist_ok=True)
    (desk / other).write_text("# other\n")
    commit(desk)
    if other.startswith("RUNS"):  # nobody looks there
        assert "RUNS/a.toml" not in taken(desk)
        return
    with pytest.raises(SourceRefused, match="are one file"):
        taken(desk)


def test_a_stop_ends_a_command_that_hangs(tmp_path: Path) -> None:
    stop = [""]
    with socket.create_server(("127.0.0.1", 0)) as server:
        remote = Remote(Place(f"git://127.0.0.1:{server.getsockname()[1]}/x"), tmp_path / "repository", lambda: stop[0])
        threading.Timer(0.2, lambda: stop.__setitem__(0, "SIGTERM")).start()
        began = time.monotonic()
        with pytest.raises(RemoteError, match="SIGTERM"):
            remote.newest()
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["environments/a.toml/b.toml", "runs/a\nb.toml"])
def test_a_name_that_would_jam_the_folder_is_refused(desk: Path, name: str) -> None:
    (desk / name).parent.mkdir(parents=True, exist_ok=True)
    (desk / name).write_text("# x\n")
    commit(desk)
    with pytest.raises(SourceRefused, match="no usable name"):
        taken(desk)


def test_what_is_too_large_is_neither_kept_nor_in_the_way_of_the_next_commit(desk: Path) -> None:
    (desk / "big").write_bytes(os.urandom(30_000_000))
    commit(desk)
    with pytest.raises(RemoteError, match="max_bytes"):
        taken(desk, max_bytes=100_000)
    assert not (desk.parent / "repository").exists()
    git(desk, "rm", "--quiet", "--cached", "big")
    git(desk, "commit", "--quiet", "--amend", "--message", "small")
    (desk / "big").unlink()
    assert "reconciler.toml" in taken(desk, max_bytes=100_000)


def test_a_huge_file_that_packs_small_and_too_many_files_are_refused(desk: Path) -> None:
    (desk / "runs" / "zero.toml").write_bytes(b"\0" * 40_000_000)
    commit(desk)
    with pytest.raises(SourceRefused, match="8 MiB"):
        taken(desk)
    (desk / "runs" / "zero.toml").write_text("# b\n")
    commit(desk)
    with pytest.raises(SourceRefused, match="too many files"):
        taken(desk, max_files=2)


def test_an_object_that_git_finds_broken_is_not_accepted(desk: Path) -> None:
    commit(desk)
    tree = git(desk, "rev-parse", "HEAD^{tree}")
    file = desk / "bad"
    file.write_text(f"tree {tree}\nauthor nobody\ncommitter nobody\n\nbroken\n")
    bad = git(desk, "hash-object", "-t", "commit", "-w", "--literally", str(file))
    git(desk, "update-ref", "refs/heads/main", bad)
    with pytest.raises(RemoteError, match=r"fsck|Email|missing"):
        taken(desk)


@pytest.mark.parametrize("branch", ["--upload-pack=touch x", "-x", "a..b", "a b", "a:b", "+main", "", "a/", "x.lock"])
def test_a_branch_that_is_an_option_or_no_name(desk: Path, branch: str) -> None:
    commit(desk)
    with pytest.raises(RemoteError):
        followed(desk, branch=branch).newest()


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c true",
        "ext://x",
        "-x",
        "--upload-pack=x",
        "",
        "fd::3",
        "https://[x/y",
        "a\nb",
        "HTTPX://a/b",
        "ssh://ada:hidden@example.com/x",
        "git://ada:hidden@example.com/x",
        "http://ada:hidden@example.com/x",
        "HTTP://hidden@example.com/x",
    ],
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(RemoteError):
        address_of(url)


def test_what_is_not_there(desk: Path) -> None:
    commit(desk)
    with pytest.raises(RemoteError, match="no branch other"):
        followed(desk, branch="other").newest()
    with pytest.raises(RemoteError, match="not appear to be a git repository"):
        followed(desk, url=str(desk / "runs")).newest()


@pytest.fixture
def closed() -> Iterator[ThreadingHTTPServer]:
    """A server that lets nobody in, and one that keeps what it was told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    seen: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = seen  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("who", ["ada:s3cr%25et", "s3cr%25et", ""])
def test_credentials_are_sent_and_never_told(closed: ThreadingHTTPServer, tmp_path: Path, who: str) -> None:
    url = f"http://{who}{'@' if who else ''}127.0.0.1:{closed.server_port}/o/n.git"
    with pytest.raises(RemoteError) as raised:
        Remote(Place(url, timeout=20.0), tmp_path / "repository").newest()
    assert "s3cr" not in str(raised.value)
    assert "s3cr" not in address_of(url).shown
    sent = [text for text in closed.seen if text]  # type: ignore[attr-defined]
    assert bool(sent) == bool(who) or not who


def test_what_git_says_of_credentials_that_its_own_configuration_adds_is_not_told() -> None:
    said = "fatal: unable to access 'https://x-access-token:ghp_hidden@example.com/o/n.git/': 403, see https://a.b/c@d"
    told = address_of("https://example.com/o/n.git").concealed(said)
    assert told == "fatal: unable to access 'https://***@example.com/o/n.git/': 403, see https://a.b/c@d"


def test_a_remote_that_hangs_ends_in_time_with_all_that_git_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        remote = Remote(Place(f"git://127.0.0.1:{port}/x", timeout=0.3), tmp_path / "repository")
        began = time.monotonic()
        with pytest.raises(RemoteError, match=r"within 0\.3 s"):
            remote.newest()
        assert time.monotonic() - began < 10


_AS_PROCESS_1 = """
import ctypes, os, sys
from pathlib import Path
from reconciler.watching.place import Place, RemoteError
from reconciler.watching.remote import Remote

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER: orphans become ours
try:
    Remote(Place(sys.argv[1], timeout=0.5), Path(sys.argv[2])).newest()
except RemoteError as problem:
    print(problem)
try:
    print("left:", os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("nothing is left")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl")
def test_nothing_stays_behind_that_the_process_1_of_a_container_inherits(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/n.git"
        command = [sys.executable, "-c", _AS_PROCESS_1, url, str(tmp_path / "repository")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["git did not end within 0.5 s", "nothing is left"]


def test_git_is_told_of_no_repository_of_the_process_and_of_no_other_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/somewhere")
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    found = environment(address_of("git@example.com:o/n.git"))
    assert "GIT_DIR" not in found
    assert found["GIT_SSH_COMMAND"] == "ssh -i key"
    assert found["GIT_ALLOW_PROTOCOL"] == "ssh"
