"""The scripts by which a server reads jobs."""

from __future__ import annotations

from headgate_server.store import job_scripts
from headgate_server.store.stored_rows import COLUMNS


def test_a_load_reads_the_columns_in_their_order() -> None:
    names = ", ".join(f"'{column}'" for column in COLUMNS)

    assert f"redis.call('HMGET', job, {names})" in job_scripts.LOAD
    assert "local revision, snapshot = row[1], row[5]" in job_scripts.LOAD
    assert (COLUMNS[0], COLUMNS[4]) == ("rev", "snap")
