"""The published descriptor set against buf: its lint, its rules of compatibility, and the lines of protos/README.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.api_lines import PUBLISHED, git, history, published_at
from tests.architecture.repository import ROOT
from tests.architecture.test_api_history import is_whole
from tests.architecture.test_docs import FENCE
from tests.polyglot.toolchains import SOURCES, build, copied, fetch, needs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first build of a machine fetches and compiles all of buf
    pytest.mark.whole,  # which is then built once
]

README = ROOT / "protos/README.md"
CONFIG = ("--config", str(ROOT / "protos/buf.yaml"), "--path", "headgate")
PLUGINS = ("google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc")


@pytest.fixture(scope="module")
def buf(tmp_path_factory: pytest.TempPathFactory) -> str:
    needs("go")
    folder = tmp_path_factory.mktemp("buf")
    for name in ("go.mod", "go.sum"):
        (folder / name).write_bytes((SOURCES / "buf" / name).read_bytes())
    fetch("go", "mod", "download", cwd=folder)
    build("go", "build", "-o", "buf", "github.com/bufbuild/buf/cmd/buf", cwd=folder)
    return str(folder / "buf")


def told(*command: str) -> str:
    """What a check complains of."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def newest_tag() -> str:
    """The last release before this commit; empty before the first."""
    tags = git("tag", "--merged", "HEAD", "--list", "v*", "--sort=-version:refname").decode().split()
    return tags[0] if tags else ""


def against(commit: str, folder: Path) -> Path:
    """The descriptor set of a commit as a file."""
    file = folder / "before.binpb"
    file.write_bytes(published_at(commit))
    return file


def test_the_api_passes_the_lint(buf: str) -> None:
    assert told(buf, "lint", PUBLISHED, *CONFIG) == ""


def test_the_api_breaks_nothing_of_the_commits_before(buf: str, tmp_path: Path) -> None:
    if not is_whole():
        pytest.skip("no checkout with its whole history: nothing to compare with")
    commits = {git("rev-parse", "HEAD~1").decode().strip(), *history()[:3], *filter(None, [newest_tag()])}
    for commit in commits:
        before = str(against(commit, tmp_path))
        assert told(buf, "breaking", PUBLISHED, "--against", before, *CONFIG) == "", f"against {commit}"


def test_buf_notices_what_a_commit_once_broke(buf: str, tmp_path: Path) -> None:
    """8b6e96d removed four fields of the quota by mistake; 252305d brought them back."""
    if not is_whole():
        pytest.skip("no checkout with its whole history: nothing to compare with")
    after = tmp_path / "after.binpb"
    after.write_bytes(published_at("8b6e96d"))
    complaints = told(buf, "breaking", str(after), "--against", str(against("8b6e96d~1", tmp_path)), *CONFIG)

    assert complaints.count("without reserving the number") == 4


@pytest.fixture
def workplace(buf: str, tmp_path: Path) -> Path:
    """A folder with our protos, and protoc, buf and the plugins for Go on the path."""
    folder = copied("go", tmp_path)
    fetch("go", "mod", "download", cwd=folder)
    build("go", "build", "-o", "bin/", *PLUGINS, cwd=folder)
    (folder / "bin/buf").symlink_to(buf)
    protoc = folder / "bin/protoc"
    protoc.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m grpc_tools.protoc "$@"\n')
    protoc.chmod(0o755)
    (folder / "protos").symlink_to(ROOT / "protos")
    (folder / "gen").mkdir()
    (folder / "main.go").unlink()
    return folder


def lines(first_word: str) -> str:
    """The command of the README that begins with a word."""
    shells: list[str] = [body for language, body in FENCE.findall(README.read_text()) if language == "sh"]
    return next(body for body in shells if body.startswith(first_word))


def run(line: str, folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(("sh", "-ec", line), cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def compiles(folder: Path) -> None:
    """What was generated is a module of the path that its files are imported by."""
    module = re.sub(r"^module .*$", "module headgate.example/go", (folder / "go.mod").read_text(), flags=re.MULTILINE)
    (folder / "gen/go.mod").write_text(module)
    (folder / "gen/go.sum").write_bytes((folder / "go.sum").read_bytes())
    assert (folder / "gen/headgate/v1/job_service_grpc.pb.go").is_file()
    build("go", "build", "./...", cwd=folder / "gen")


@pytest.mark.parametrize("tool", ["protoc", "buf"])
def test_the_readmes_lines_generate_code_that_compiles(tool: str, workplace: Path) -> None:
    templates = [body for language, body in FENCE.findall(README.read_text()) if language == "yaml"]
    (workplace / "buf.gen.yaml").write_text(templates[0])

    run(lines(f"{tool} "), workplace)

    compiles(workplace)
