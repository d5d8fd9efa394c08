"""Where a database file lies and whose it is: what is refused before the file is opened."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from state.errors import StateNotLocal, StateNotOurs, StateNotPrivate

# Types of file systems that other machines may write to, as the kernel calls them (less ``fuse.``). There an flock
# may hold on this machine alone, and a write-ahead log needs memory that all writers share.
_BY_PROTOCOL = """
nfs nfs3 nfs4 cifs smb2 smb3 smbfs smbnetfs afs openafs kafs yfs coda ncp ncpfs afpfs 9p davfs davfs2 webdav curlftpfs
ftpfs sshfs
"""
_OF_A_CLUSTER = """
ceph ceph-fuse cephfs gluster glusterfs lustre beegfs orangefs pvfs2 gpfs mmfs gfs2 ocfs2 moosefs mfs lizardfs saunafs
juicefs seaweedfs weed quobyte panfs wekafs cvmfs hdfs fuse_dfs alluxio ipfs
"""
_OF_A_CLOUD = """
s3fs goofys mount-s3 mountpoint-s3 gcsfuse blobfuse blobfuse2 rclone geesefs s3ql google-drive-ocamlfuse onedriver
gvfsd-fuse kio-fuse
"""
_OF_A_HOST = "vboxsf vmhgfs vmhgfs-fuse prl_fs drvfs"  # folders that a virtual machine's host shares with it
_NETWORK_TYPES = frozenset(" ".join((_BY_PROTOCOL, _OF_A_CLUSTER, _OF_A_CLOUD, _OF_A_HOST)).split())
_BSD_MOUNT = re.compile(r"^.*? on (/.*) \(([^,()]+)[^()]*\)$")


def refuse_network(path: Path) -> None:
    """Raise StateNotLocal for a path on a network file system. What is not known to be one is allowed."""
    kind = network_type(_mounts(), os.path.realpath(path))
    if kind is not None:
        raise StateNotLocal(
            f"The state would lie on a network file system ({path}: {kind}), where neither the lock nor the log of a"
            " database can be trusted; nothing was touched.",
            "Put it on a local disk (--state, RECONCILER_STATE_URL or [state] url), or use PostgreSQL.",
        )


def refuse_shared(path: Path) -> None:
    """Raise StateNotOurs or StateNotPrivate for a database file that others own, or may read or write."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        return  # it can't be opened either, which is said elsewhere
    if found.st_uid not in (0, os.geteuid()):
        raise StateNotOurs(
            f"The state database belongs to another user ({path}: user id {found.st_uid}); it was not touched.",
            "Run this as that user, or make the file yours with `chown`, or name another one.",
        )
    if found.st_mode & 0o077:
        raise StateNotPrivate(
            f"The state database may be read or written by others ({path}: mode {stat.S_IMODE(found.st_mode):04o});"
            " it was not touched.",
            f"Look whether somebody changed it, then run `chmod 600 {shlex.quote(str(path))}`.",
        )


def network_type(table: str, path: str) -> str | None:
    """The type of the network file system on which a real path lies, or None.

    ``table`` is the text of Linux's ``/proc/self/mountinfo``, or what ``mount`` prints on macOS.
    """
    longest, kind = "", None
    for point, found in _parse(table):
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(longest):  # of two on one point the later one covers the other
            longest, kind = point, found
    if kind is None or kind.lower().removeprefix("fuse.") not in _NETWORK_TYPES:
        return None
    return kind


def _parse(table: str) -> Iterator[tuple[str, str]]:
    """Mount points and types."""
    for line in table.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if dash and len(fields) >= 6 and fields[0].isdigit():
            yield _unescape(fields[4]), _unescape(after.split(" ")[0])
        elif match := _BSD_MOUNT.match(line):
            yield match[1], match[2]


def _unescape(text: str) -> str:
    """Blanks, tabs, line ends and backslashes are octal in the table."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _mounts() -> str:
    """The table of this machine; empty where it can't be had."""
    try:
        if sys.platform == "darwin":
            return subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=False).stdout
        return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except (OSError, subprocess.SubprocessError):
        return ""
