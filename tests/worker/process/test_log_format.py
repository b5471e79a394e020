"""Log lines of a worker process, as text or JSON, and which loggers stay quiet."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging
from headgate_worker.process.log_format import configure
configure("INFO", {form!r})
for name in ("headgate_worker", "arq.worker", "apscheduler.scheduler"):
    logging.getLogger(name).debug("too little")
    logging.getLogger(name).info("from %s", name)
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_worker_logs_its_own_lines_and_no_others_at_info(form: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(form=form)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    if form == "json":
        found = json.loads(line)
        assert (found["level"], found["logger"], found["message"]) == (
            "INFO",
            "headgate_worker",
            "from headgate_worker",
        )
    else:
        assert line.endswith("INFO    headgate_worker: from headgate_worker")
