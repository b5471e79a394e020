"""What may import what: the contracts of pyproject.toml, and what each process really loads."""

import json
import subprocess
import sys
import tomllib

import pytest

from tests.architecture.repository import ROOT, SOURCE_ROOTS

CLOUD = ("alibabacloud_", "Tea", "darabonba")

LOADED = """
import importlib, json, pkgutil, sys
for name in {roots!r}:
    root = importlib.import_module(name)
    for module in pkgutil.walk_packages(root.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(*roots: str) -> set[str]:
    """Every module that a process has in memory when all modules of the packages are imported."""
    paths = [str(ROOT / folder) for folder in SOURCE_ROOTS]
    program = f"import sys; sys.path[:0] = {paths!r}\n" + LOADED.format(roots=roots)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return set(json.loads(done.stdout))


def of(modules: set[str], *packages: str) -> set[str]:
    """The modules of these packages; a name that ends in "_" stands for every package that begins so."""
    families = tuple(name for name in packages if name.endswith("_"))
    return {name for name in modules if name.partition(".")[0] in packages or name.startswith(families)}


def test_the_contracts_are_kept() -> None:
    command = (sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert not done.returncode, done.stdout + done.stderr


def pure_modules() -> list[str]:
    """The packages and modules that the contract "The protocol does no I/O" is about."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules: list[str] = next(item["source_modules"] for item in contracts if item["name"].startswith("The protocol"))
    return modules


def test_every_module_of_the_protocol_is_under_the_contract() -> None:
    folder = ROOT / "protos/headgate"
    modules = {f"headgate.{path.stem}" for path in folder.glob("*.py")} - {"headgate.__init__"}
    modules |= {f"headgate.{path.parent.name}" for path in folder.glob("*/__init__.py")} - {"headgate.v1"}

    assert modules == set(pure_modules())


def test_the_protocol_loads_nothing_that_does_io() -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'protos')!r})\n"
    packages = [name for name in pure_modules() if (ROOT / "protos" / name.replace(".", "/")).is_dir()]
    program += LOADED.format(roots=packages)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not of(set(json.loads(done.stdout)), "grpc", "redis", "arq", "aiohttp", "asyncio")


def test_the_server_loads_no_cloud_sdk_and_no_worker() -> None:
    assert not of(loaded_by("headgate_server"), *CLOUD, "arq", "headgate_worker", "headgate_client", "headgate_cli")


def test_the_worker_loads_no_grpc_and_no_server() -> None:
    assert not of(loaded_by("headgate_worker"), "grpc", "headgate_server", "headgate_client", "headgate_cli")


def test_the_client_loads_no_store_and_no_cloud() -> None:
    heavy = ("redis", "arq", "aiohttp", "pydantic", "typer", "rich", "protovalidate")
    assert not of(loaded_by("headgate_client"), *CLOUD, *heavy, "headgate_server", "headgate_worker", "headgate_cli")


def test_the_emulator_loads_no_redis_and_no_sdk() -> None:
    assert not of(loaded_by("headgate_emulator"), *CLOUD, "redis", "arq", "grpc", "headgate_worker", "headgate_server")


@pytest.mark.parametrize("name", ["server", "worker", "emulator"])
def test_launching_a_process_does_not_load_the_command_line(name: str) -> None:
    program = f"import sys, headgate_cli.__main__; sys.exit('typer' in sys.modules or 'headgate_{name}' in sys.modules)"
    paths = {"PYTHONPATH": ":".join(str(ROOT / folder) for folder in SOURCE_ROOTS)}

    assert not subprocess.run([sys.executable, "-c", program], env=paths, check=False).returncode
