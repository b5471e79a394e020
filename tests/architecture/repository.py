"""What the tests of this folder read: the repository's files, and its published descriptor."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

GENERATED: Final = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi", ".binpb")

SOURCE_ROOTS: Final = ("protos", "server", "worker", "client", "emulator")


def tracked() -> list[Path]:
    """Every file of ours: what git tracks or would track, and what stands on disk."""
    command = ("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split("\0")
    return sorted({ROOT / name for name in listed if name and (ROOT / name).is_file()})


def written_by_hand() -> Iterator[Path]:
    """The files that people write."""
    return (path for path in tracked() if not path.name.endswith(GENERATED))


def python_files() -> Iterator[Path]:
    """The Python files that people write."""
    return (path for path in written_by_hand() if path.suffix == ".py")


def documents() -> Iterator[Path]:
    """Every Markdown file."""
    return (path for path in tracked() if path.suffix == ".md")


def relative(path: Path) -> str:
    """A path as a person names it."""
    return path.relative_to(ROOT).as_posix()
