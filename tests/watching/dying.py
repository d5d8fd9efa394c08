"""Takes a revision, and is killed before each step of it: ``python -m tests.watching.dying FOLDER``.

Makes a checkout below FOLDER for each step, by its number, as the kill left it; the last one is that of a take that
came to its end. A process of its own, since it forks.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final

from reconciler.config.variables import Given
from reconciler.watching.checkout import Checkout

ROOT: Final = Path(__file__).parents[2]
SPEC: Final = "11111111-1111-4111-8111-111111111111"
HEAD: Final = b'[api]\nbase_url = "emulator"\n'
RUN: Final = f'[run.a]\nspec_id = "{SPEC}"\nnumber_of_samples = 5\n'.encode()
GOOD: Final = {"reconciler.toml": HEAD, "runs/a.toml": RUN}
CONTENT: Final = {
    "zero": {"reconciler.toml": HEAD + b"# zero\n", "runs/z.toml": RUN},
    "one": {**GOOD, "runs/b/c.toml": RUN.replace(b"run.a", b"run.c"), "environments/prod.toml": b"# one\n"},
    "two": {"reconciler.toml": HEAD + b"# two\n", "runs/d.toml": RUN, "environments/prod.toml": b"# one\n"},
}
_STEPS: Final = ("open", "os.", "shutil.")


def take(root: Path, commit: str) -> None:
    Checkout(root).take(commit, CONTENT[commit], {}, Given())


def _is_below(root: Path, event: str, about: tuple[Any, ...]) -> bool:
    if event in ("os.remove", "os.rmdir") and about[1] != -1:  # of a whole tree, which is told by handle
        return True
    return any(isinstance(word, (str, os.PathLike)) and str(root) in str(word) for word in about)


def _dies_before(step: int, root: Path) -> None:
    """SIGKILL before the step with this number: whatever makes, renames or removes below the folder."""
    steps = itertools.count()

    def hook(event: str, about: tuple[Any, ...]) -> None:
        if event.startswith(_STEPS) and _is_below(root, event, about) and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main() -> None:
    folder = Path(sys.argv[1])
    base = folder / "base"
    for commit in ("zero", "one"):
        take(base, commit)
    for step in itertools.count():
        root = folder / f"{step:03}"
        shutil.copytree(base, root, symlinks=True)
        child = os.fork()
        if not child:
            _dies_before(step, root)
            take(root, "two")
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            shutil.rmtree(base)
            return


if __name__ == "__main__":
    main()
