"""Every form of a report against what it looked like when a person last looked at it.

To renew the files after a change that is meant: `.venv/bin/python -m tests.cli.views.report.renew`, and look at them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from headgate import pb
from headgate_cli.views.report.comma_separated import comma_separated
from headgate_cli.views.report.markdown import markdown
from headgate_cli.views.report.page import page
from headgate_cli.views.report.text import plain_text
from tests.cli.views.report.samples import good, mixed

GOLDEN = Path(__file__).parents[1] / "golden"
FORMS: dict[str, Callable[[pb.JobReport], str]] = {
    "txt": plain_text,
    "md": markdown,
    "csv": comma_separated,
    "html": page,
}
SAMPLES = {"good": good, "mixed": mixed}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_report_looks_as_it_did(sample: str, form: str) -> None:
    golden = (GOLDEN / f"report-{sample}.{form}").read_bytes().decode()

    assert FORMS[form](SAMPLES[sample]()) == golden


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_a_server_says_steers_who_reads_it(form: str) -> None:
    assert "\x1b" not in FORMS[form](mixed())
