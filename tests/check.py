"""Run the tests that the change at hand is likely to touch, and say which are left out: `python -m tests.check`.

The change is what differs from the commit where this branch left BASE (default: the main branch), with what is not
committed. On the main branch itself it is the last commit and what is not committed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.selection import ALWAYS, Repository, Selection, is_test

ROOT: Final = Path(__file__).resolve().parents[1]
MAIN_BRANCHES: Final = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


def git(*words: str) -> str:
    """What git answers; empty when it refuses."""
    return subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=False).stdout


def base() -> str:
    """The commit that the change begins after."""
    branches = [os.environ["BASE"]] if os.environ.get("BASE") else MAIN_BRANCHES
    left = next((found for branch in branches if (found := git("merge-base", "HEAD", branch).strip())), "")
    return left if left and left != git("rev-parse", "HEAD").strip() else "HEAD~1"


def changed_files(since: str) -> list[str]:
    """Files that differ from a commit, with those that git does not know yet."""
    listed = git("diff", "--name-only", "-z", since) + git("ls-files", "-z", "--others", "--exclude-standard")
    return sorted(set(filter(None, listed.split("\0"))))


def repository() -> Repository:
    """Every Python file of this tree."""
    files = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py").split("\0")
    return Repository({file: (ROOT / file).read_text() for file in files if file and (ROOT / file).is_file()})


def told(change: Iterable[str], found: Selection, all_tests: int) -> str:
    """What runs and what does not, in words."""
    lines = [f"{len(list(change))} files changed: {len(found.files)} test files of {all_tests}, and {ALWAYS}"]
    lines += [f"  {file}" for file in found.files]
    for what, files in (("slow", found.slow), ("more than enough", found.too_many)):
        lines += [f"left out, {what}: {' '.join(files)}"] if files else []
    return "\n".join([*lines, "left out: all other tests. `make test` runs everything."])


def main() -> int:
    """Run them; the exit status is pytest's."""
    change, tree = changed_files(base()), repository()
    found = tree.selection(change)
    summary = told(change, found, sum(map(is_test, tree.texts)))
    print(summary, flush=True)
    command = (sys.executable, "-m", "pytest", "-n", "auto", "--no-loadscope-reorder", ALWAYS, *found.files)
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    print(summary.partition("\n")[0], summary.rpartition("\n")[2], sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
