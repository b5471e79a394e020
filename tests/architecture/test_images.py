"""The Dockerfiles: lean, locked, without root, and told to stop by a signal that arrives.

No container engine is needed here. What a build does with pip is checked by test_wheel.py.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.repository import ROOT

IMAGES: Final = {"server": ("50051 8080", 8080, "/readyz"), "worker": ("8080", 8080, "/readyz")} | {
    "emulator": ("18080", 18080, "/healthz")
}
SCRIPT: Final = ROOT / "deploy/build-images.sh"

images = pytest.mark.parametrize("name", IMAGES)

Lines = list[tuple[str, str]]


def instructions(name: str) -> Lines:
    """Instruction and argument of each line of a Dockerfile."""
    text = (ROOT / name / "Dockerfile").read_text().replace("\\\n", "")
    plain = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in plain)]


def stages(name: str) -> tuple[Lines, Lines]:
    """The instructions of the two stages: the one that builds, and the one that is shipped."""
    lines = instructions(name)
    first, second = (at for at, (word, _) in enumerate(lines) if word == "FROM")
    return lines[first:second], lines[second:]


def all_of(lines: Lines, word: str) -> list[str]:
    return [rest for found, rest in lines if found == word]


def only(lines: Lines, word: str) -> str:
    (rest,) = all_of(lines, word)
    return rest


@images
def test_the_base_image_is_an_argument_and_not_the_newest_of_anything(name: str) -> None:
    build, shipped = stages(name)

    assert instructions(name)[0] == ("ARG", "BASE_IMAGE=python:3.12-slim")
    assert only(build, "FROM") == "${BASE_IMAGE} AS build" and only(shipped, "FROM") == "${BASE_IMAGE}"
    assert ":latest" not in (ROOT / name / "Dockerfile").read_text()


@images
def test_it_is_built_from_the_project_file_the_protocol_and_its_own_folder(name: str) -> None:
    build, shipped = stages(name)

    copied = " ".join(line.rpartition(" ")[0] for line in all_of(build, "COPY")).split()
    assert set(copied) == {"pyproject.toml", "README.md", "LICENSE", "constraints.txt", "protos", name}
    assert only(shipped, "COPY") == "--from=build /opt/headgate /opt/headgate"


@images
def test_it_installs_only_its_own_extra_with_every_version_pinned(name: str) -> None:
    build, _ = stages(name)

    assert set(re.findall(r"\.\[([a-z,]+)\]", " ".join(all_of(build, "RUN")))) == {name}
    assert "PIP_CONSTRAINT=/build/constraints.txt" in only(build, "ENV").split()


@images
def test_it_ships_compiled_files_that_are_not_checked_again(name: str) -> None:
    build, shipped = stages(name)

    last = json.loads(all_of(build, "RUN")[-1])
    assert "compileall" in last and last[last.index("--invalidation-mode") + 1] == "unchecked-hash"
    assert any("PYTHONDONTWRITEBYTECODE=1" in line for line in all_of(shipped, "ENV"))


@images
def test_it_runs_as_a_numbered_user_that_is_not_root(name: str) -> None:
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", only(stages(name)[1], "USER"))


@images
def test_the_process_itself_gets_the_signals(name: str) -> None:
    _, shipped = stages(name)

    assert json.loads(only(shipped, "ENTRYPOINT")) == ["python", "-m", f"headgate_{name}"]
    assert not all_of(shipped, "CMD") and (ROOT / name / f"headgate_{name}" / "__main__.py").is_file()


@images
def test_it_exposes_the_ports_of_the_contract_and_asks_the_right_one_for_its_health(name: str) -> None:
    _, shipped = stages(name)
    ports, port, path = IMAGES[name]

    assert only(shipped, "EXPOSE") == ports
    assert f"'127.0.0.1', {port}," in only(shipped, "HEALTHCHECK") and f"'{path}'" in only(shipped, "HEALTHCHECK")


@images
@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_health_check_says_what_the_process_says(name: str, status: int, exit_code: int) -> None:
    _, port, _ = IMAGES[name]
    _, program = health_command(name)

    with answering(status) as real_port:
        program = program.replace(f"'127.0.0.1', {port},", f"'127.0.0.1', {real_port},")
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == exit_code


def health_command(name: str) -> tuple[str, str]:
    check = only(stages(name)[1], "HEALTHCHECK")
    python, flag, program = json.loads(check[check.index("CMD ") + 4 :])
    ast.parse(program)
    return f"{python} {flag}", program


@contextmanager
def answering(status: int) -> Iterator[int]:
    """An HTTP server that answers everything with one status; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@images
def test_nothing_secret_is_written_into_an_image(name: str) -> None:
    secret = re.compile(r"(?i)(secret|password|token|access_key)")

    assert not [line for line in instructions(name) if line[0] in ("ENV", "ARG") and secret.search(line[1])]


def test_a_build_context_holds_nothing_but_what_images_are_made_of() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert lines[0] == "*" and {"**/__pycache__", "**/*.pyc"} <= set(lines)
    protocol = {f"protos/{name}" for name in ("headgate", "headgate_ops", "headgate_redis", "buf")}
    assert let_in == {"pyproject.toml", "README.md", "LICENSE", "constraints.txt", *protocol} | {
        f"{name}/headgate_{name}" for name in IMAGES
    }


def dry_run(*arguments: str, **environment: str) -> list[list[str]]:
    path = {"PATH": "/usr/bin:/bin"}
    command = (str(SCRIPT), "--dry-run", *arguments)
    done = subprocess.run(command, env=path | environment, capture_output=True, text=True, check=True, cwd="/")
    return [line.split() for line in done.stdout.splitlines()]


def test_the_script_builds_every_image_with_docker_unless_told_otherwise() -> None:
    commands = dry_run()

    assert [command[:2] for command in commands] == [["docker", "build"]] * 3
    assert [command[command.index("--file") + 1] for command in commands] == [f"{name}/Dockerfile" for name in IMAGES]
    assert all(command[-1] == "." and "latest" not in " ".join(command) for command in commands)


def test_the_script_takes_any_builder_base_image_tag_and_prefix() -> None:
    environment = {"BUILDER": "podman", "BASE_IMAGE": "mirror.example/python:3.13", "TAG": "7", "PREFIX": "example/"}
    (command,) = dry_run("worker", **environment)

    assert command[:4] == ["podman", "build", "--format", "docker"]
    assert "BASE_IMAGE=mirror.example/python:3.13" in command and "example/headgate-worker:7" in command


def test_the_script_refuses_what_it_does_not_know() -> None:
    done = subprocess.run([str(SCRIPT), "--dry-run", "client"], capture_output=True, text=True, check=False)

    assert done.returncode == 2 and "client" in done.stderr


def test_the_script_is_clean() -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed on this machine")

    done = subprocess.run([shellcheck, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout
