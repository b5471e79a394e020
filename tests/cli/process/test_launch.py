import json
import subprocess
import sys
import types

import pytest

from headgate_cli.process.launch import launch


def loaded_by(code: str) -> set[str]:
    """The top-level packages that are loaded after running `code` in a fresh process."""
    script = f"import sys, json\n{code}\nprint('\\n' + json.dumps(sorted(name.split('.')[0] for name in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_process_is_launched_with_its_arguments_and_status(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    def main(argv: list[str]) -> int:
        given.append(argv)
        return 7

    module = types.ModuleType("headgate_server.__main__")
    module.main = main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "headgate_server.__main__", module)

    assert launch("server", ["--help"]) == 7
    assert given == [["--help"]]


@pytest.mark.parametrize("missing", ["headgate_worker", "arq"])
def test_a_process_that_is_not_installed_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> types.ModuleType:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr("importlib.import_module", absent)

    assert launch("worker", []) == 2
    said = capsys.readouterr().err
    assert said == f"headgate worker needs {missing}, which is not installed: pip install 'headgate[worker]'\n"


def test_a_mistake_of_ours_is_not_called_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> types.ModuleType:
        raise ModuleNotFoundError("No module named 'headgate_worker.oops'", name="headgate_worker.oops")

    monkeypatch.setattr("importlib.import_module", absent)

    with pytest.raises(ModuleNotFoundError):
        launch("worker", [])


def test_launching_a_process_loads_no_user_interface() -> None:
    loaded = loaded_by(
        "import types\n"
        "module = types.ModuleType('headgate_server.__main__')\n"
        "module.main = lambda argv: 0\n"
        "sys.modules['headgate_server.__main__'] = module\n"
        "from headgate_cli.__main__ import main\n"
        "try:\n    main(['server'])\nexcept SystemExit as done:\n    assert done.code == 0\n"
    )

    assert not loaded & {"typer", "rich", "click", "headgate_client", "grpc"}


def test_help_loads_no_client() -> None:
    loaded = loaded_by(
        "from headgate_cli.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as done:\n    assert done.code == 0\n"
    )

    assert not loaded & {"headgate_client", "grpc", "google", "headgate_server", "redis", "aiohttp"}
