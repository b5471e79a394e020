"""What a reply brings, of any bytes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from headgate_worker.upstream.enos.graph import mended
from headgate_worker.upstream.enos.replies import decode

GRAPH = {"creator": "c", "id": 2809, "tasks": [{"taskId": 1, "taskInstId": "1-2", "x": 0.5, "status": "RUNNING"}]}


def test_a_proper_reply_is_left_as_it_is() -> None:
    proper = json.dumps({"data": {"graph": json.dumps(GRAPH)}})

    assert mended(proper) == proper


def test_two_rows_that_are_not_escaped_are_both_mended() -> None:
    text = json.dumps(GRAPH)
    broken = f'{{"rows": [{{"graph": "{text}", "n": 1}}, {{"graph":"{text}"}}]}}'

    rows = json.loads(mended(broken))["rows"]
    assert [json.loads(row["graph"]) for row in rows] == [GRAPH, GRAPH]


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_can_be_decoded(body: bytes) -> None:
    assert isinstance(decode(body), dict)
    decode(b'{"graph": "{' + body)
