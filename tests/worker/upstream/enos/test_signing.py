"""Signatures of calls."""

from __future__ import annotations

from headgate_worker.upstream.enos.signing import signature


def test_the_published_vector_is_reproduced() -> None:
    body = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'
    query = {"k3": "v3", "k1": "v1", "k2": "v2"}

    found = signature("xxxxaaaxxxx", query, body, 1572574909697, "xxxappSecretxxx")

    assert found == "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"
