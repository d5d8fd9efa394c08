"""Network file systems, and files that others own or may read, are refused before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from state.errors import StateNotLocal, StateNotOurs, StateNotPrivate
from state.sqlite import place
from state.sqlite.place import network_type
from state.sqlite.store import SqliteStore, open_sqlite
from tests.state.samples import URL, traces

Opened = Callable[..., SqliteStore]
READ_ONLY = pytest.mark.parametrize("read_only", [False, True])

NETWORK_TYPES = """
nfs nfs4 cifs smb3 smbfs fuse.sshfs 9p afs fuse.glusterfs ceph fuse.ceph lustre fuse.s3fs fuse.rclone NFS
"""
LINUX = """\
22 28 0:21 / /proc rw,relatime - proc proc rw
28 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 28 0:40 / /home rw,relatime shared:5 - nfs4 server:/home rw,vers=4.2
31 30 254:1 / /home/me/local rw,relatime shared:7 master:1 - xfs /dev/vdb rw
32 28 0:41 / /mnt/a\\040blank rw - cifs //server/share rw
33 28 0:42 / /mnt/fuse rw - fuse.sshfs me@server:/x rw
34 28 0:43 / /mnt/plain rw - fuse.encfs encfs rw
35 28 0:44 / /mnt/c rw - 9p C: rw
36 28 0:45 / /mnt/covered rw - nfs server:/y rw
37 36 254:2 / /mnt/covered rw - ext4 /dev/vdc rw
38 28 0:46 / /mnt/new rw - somethingfs x rw
"""
MACOS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
devfs on /dev (devfs, local, nobrowse)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
//me@server._smb._tcp.local/share on /Volumes/My share (1) (smbfs, nodev, nosuid, mounted by me)
server:/export on /Volumes/nfs (nfs)
"""


@pytest.mark.parametrize(
    ("table", "path", "kind"),
    [
        (LINUX, "/srv/state.db", None),
        (LINUX, "/home/me/project/state.db", "nfs4"),
        (LINUX, "/home/me/local/state.db", None),
        (LINUX, "/home/me/localities/state.db", "nfs4"),
        (LINUX, "/homes/state.db", None),
        (LINUX, "/mnt/a blank/state.db", "cifs"),
        (LINUX, "/mnt/fuse/state.db", "fuse.sshfs"),
        (LINUX, "/mnt/plain/state.db", None),
        (LINUX, "/mnt/c/state.db", "9p"),
        (LINUX, "/mnt/covered/state.db", None),
        (LINUX, "/mnt/new/state.db", None),
        (MACOS, "/Users/me/state.db", None),
        (MACOS, "/System/Volumes/Data/home/state.db", None),
        (MACOS, "/Volumes/My share (1)/state.db", "smbfs"),
        (MACOS, "/Volumes/nfs/deep/state.db", "nfs"),
        ("", "/srv/state.db", None),
        ("nonsense\n1 2 - \n - nfs\n", "/srv/state.db", None),
    ],
)
def test_the_longest_mount_point_decides(table: str, path: str, kind: str | None) -> None:
    assert network_type(table, path) == kind


@pytest.mark.parametrize("kind", NETWORK_TYPES.split())
def test_network_types(kind: str) -> None:
    assert network_type(f"1 0 0:1 / / rw - {kind} x rw", "/state.db") == kind


@READ_ONLY
def test_a_network_file_system_is_refused(
    path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    opened().close()
    before = traces(path.parent)
    real = os.path.realpath(path.parent)
    monkeypatch.setattr(place, "_mounts", lambda: f"1 0 0:1 / {real} rw - nfs4 server:/x rw")
    with pytest.raises(StateNotLocal, match="nfs4") as caught:
        opened(read_only=read_only)
    assert "PostgreSQL" in caught.value.advice
    assert traces(path.parent) == before


def test_nothing_is_made_on_one_not_even_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (tmp_path / "link").symlink_to(share)
    monkeypatch.setattr(place, "_mounts", lambda: f"1 0 0:1 / {os.path.realpath(share)} rw - fuse.sshfs x rw")
    with pytest.raises(StateNotLocal):
        open_sqlite(tmp_path / "link" / "new" / "state.db", base_url=URL, create=True)
    assert list(share.iterdir()) == []


def test_the_table_of_this_machine_has_this_folder(tmp_path: Path) -> None:
    points = [point for point, _ in place._parse(place._mounts())]
    assert "/" in points


@READ_ONLY
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o777])
def test_a_file_that_others_may_use_is_refused(path: Path, opened: Opened, mode: int, read_only: bool) -> None:
    opened().close()
    path.chmod(mode)
    before = traces(path.parent)
    with pytest.raises(StateNotPrivate, match=f"{mode:04o}") as caught:
        opened(read_only=read_only)
    assert f"chmod 600 {path}" in caught.value.advice
    assert traces(path.parent) == before
    assert path.stat().st_mode & 0o777 == mode
    path.chmod(0o600)
    opened(read_only=read_only)


@READ_ONLY
def test_a_file_of_another_user_is_refused(
    path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    opened().close()
    owner = path.stat().st_uid or 4711
    if os.geteuid() == 0:
        os.chown(path, owner, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    before = traces(path.parent)
    with pytest.raises(StateNotOurs, match=str(owner)):
        opened(read_only=read_only)
    assert traces(path.parent) == before
