"""The committed code of the protos is what the pinned generator makes of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import GENERATED, ROOT

pytestmark = pytest.mark.whole

PROTOS = ROOT / "protos"


def generated_below(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("*") if path.name.endswith(GENERATED)}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("generated")
    subprocess.run([sys.executable, str(PROTOS / "generate.py"), str(output)], check=True, capture_output=True)
    return output


def test_the_same_files_are_committed(fresh: Path) -> None:
    assert generated_below(fresh) == generated_below(PROTOS)


def test_the_committed_files_are_up_to_date(fresh: Path) -> None:
    stale = [
        str(path)
        for path in sorted(generated_below(fresh))
        if (fresh / path).read_bytes() != (PROTOS / path).read_bytes()
    ]

    assert not stale, f"run `make protos` and commit: {', '.join(stale)}"
