"""Specs of flags and files."""

from pathlib import Path

import pytest

from headgate import pb
from headgate_cli.input.specs import from_file
from headgate_cli.process.exit_codes import UsageFault


def test_an_unknown_word_in_a_spec_file_names_the_known_ones(tmp_path: Path) -> None:
    wrong = tmp_path / "spec.json"
    wrong.write_text('{"defaultRunProperties": {"mode": "BACKFILL_MODE_ALL_DOWNSTREM"}}')

    with pytest.raises(UsageFault, match=r"did you mean BACKFILL_MODE_ALL_DOWNSTREAM[?] Known are BACKFILL_MODE_UN"):
        from_file(str(wrong), pb.BackfillSpec())
