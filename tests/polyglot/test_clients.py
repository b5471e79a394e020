"""Clients in other languages, generated from what we publish, against a whole deployment."""

import asyncio
import platform
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson

from headgate import pb
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_client import Client
from tests.architecture.repository import ROOT
from tests.architecture.test_docs import FENCE, readme_request
from tests.polyglot.toolchains import DESCRIPTOR, QUICK_JVM, build, copied, fetch, needs, protoc

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first build of a machine fetches and compiles all of gRPC
]

PROTOS = tuple(sorted(f"headgate/v1/{path.name}" for path in (ROOT / "protos/headgate/v1").glob("*.proto")))
MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
JAVA_TOOLS = (
    "com.google.protobuf:protoc:4.35.1:exe:linux-x86_64",
    "io.grpc:protoc-gen-grpc-java:1.76.0:exe:linux-x86_64",
)
README_GO = """package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	headgatev1 "headgate.test/client/gen/headgate/v1"
)

func follow(ctx context.Context, conn *grpc.ClientConn) error {
%s
}
"""


@pytest.fixture
async def deployment() -> AsyncIterator[Deployment]:
    settings = {"HEADGATE_EMULATOR_RUN_SECONDS": "0.3", "HEADGATE_EMULATOR_CREATE_SECONDS": "0.1"}
    async with Deployment(DeploymentOptions(environment=settings), lambda name, line: None) as found:
        yield found


def request_file(folder: Path, job_id: str) -> Path:
    """The request of the README, as JSON."""
    request = readme_request()
    request.job_id = job_id
    file = folder / "request.json"
    file.write_text(MessageToJson(request, preserving_proto_field_name=True))
    return file


async def told_by(*command: str, cwd: Path) -> list[str]:
    """The lines that a client writes."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, out.decode() + err.decode()
    return out.decode().splitlines()


async def expected(deployment: Deployment, job_id: str) -> list[str]:
    """What every client has to tell of a job that has ended."""
    async with Client(deployment.endpoints.target) as client:
        events = [event async for event in client.jobs.handle(job_id).events()]
    assert events[-1].state == pb.JOB_STATE_SUCCEEDED
    lines = [f"event {event.revision} {pb.JobState.Name(event.state)[10:]}" for event in events]
    return [f"created jobs/{job_id}", "refused JOB_EXISTS", *lines, "end JOB_TERMINAL"]


def readme_go() -> str:
    blocks: list[tuple[str, str]] = FENCE.findall((ROOT / "README.md").read_text())
    return next(body for language, body in blocks if language == "go")


async def test_a_go_client_and_the_readmes(deployment: Deployment, tmp_path: Path) -> None:
    needs("go")
    folder = copied("go", tmp_path)
    fetch("go", "mod", "download", cwd=folder)
    plugins = ("google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc")
    (folder / "gen").mkdir()
    await asyncio.to_thread(build, "go", "build", "-o", "bin/", *plugins, cwd=folder)
    outs = (
        "--go_out=gen",
        "--go_opt=paths=source_relative",
        "--go-grpc_out=gen",
        "--go-grpc_opt=paths=source_relative",
    )
    protoc("--plugin=bin/protoc-gen-go", "--plugin=bin/protoc-gen-go-grpc", *outs, *PROTOS, cwd=folder)
    (folder / "follow.go").write_text(README_GO % readme_go())
    await asyncio.to_thread(build, "go", "build", "-o", "client", ".", cwd=folder)

    job_id = re.findall(r'"jobs/([\w-]+)"', readme_go())[0]
    told = await told_by("./client", deployment.endpoints.target, str(request_file(tmp_path, job_id)), cwd=folder)

    wanted = await expected(deployment, job_id)
    assert told[: len(wanted)] == wanted
    assert told[len(wanted) :] == [f"{len(wanted) - 3} "], "the README's stream: a snapshot at the end, and no event"


async def test_a_node_client(deployment: Deployment, tmp_path: Path) -> None:
    needs("node", "npm")
    folder = copied("node", tmp_path)
    npm = ("npm", "install", "--no-audit", "--no-fund", "--package-lock=false", "--ignore-scripts")
    await asyncio.to_thread(fetch, *npm, cwd=folder)

    file = request_file(tmp_path, "orders-node")
    told = await told_by("node", "client.js", deployment.endpoints.target, str(file), str(DESCRIPTOR), cwd=folder)

    unknown = [
        "unknown headgate.v1.CreateBackfillRequest has no field validateOnly",
        "unknown headgate.v1.BackfillSpec has no field projectId",
    ]
    assert told == [*unknown, *await expected(deployment, "orders-node")]


async def test_a_java_client(deployment: Deployment, tmp_path: Path) -> None:
    needs("java", "javac", "mvn")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the generators for Java are named for Linux on x86-64 here")
    folder = copied("java", tmp_path)
    mvn = ("mvn", "-q", "-B")
    await asyncio.to_thread(fetch, *mvn, f"{MAVEN}:copy-dependencies", "-DoutputDirectory=lib", cwd=folder)
    for tool in JAVA_TOOLS:
        await asyncio.to_thread(fetch, *mvn, f"{MAVEN}:copy", f"-Dartifact={tool}", "-DoutputDirectory=.", cwd=folder)
    generator, compiler = sorted(folder.glob("*.exe"), key=lambda path: "grpc" not in path.name)
    for program in (generator, compiler):
        program.chmod(0o755)
    (folder / "gen").mkdir()
    given = (f"--descriptor_set_in={DESCRIPTOR}", f"--plugin=protoc-gen-grpc-java={generator}")
    outs = ("--java_out=gen", "--grpc-java_out=gen")
    build(str(compiler), *given, *outs, *PROTOS, "buf/validate/validate.proto", cwd=folder)
    sources = [str(path) for path in (*folder.glob("gen/**/*.java"), folder / "Client.java")]
    javac = (
        "javac",
        *(f"-J{option}" for option in QUICK_JVM),
        "-proc:none",
        "-nowarn",
        "-cp",
        "lib/*",
        "-d",
        "classes",
    )
    await asyncio.to_thread(build, *javac, *sources, cwd=folder)

    file = request_file(tmp_path, "orders-java")
    java = (shutil.which("java") or "java", *QUICK_JVM, "-cp", "classes:lib/*", "Client")
    told = await told_by(*java, deployment.endpoints.target, str(file), cwd=folder)

    assert told == await expected(deployment, "orders-java")
