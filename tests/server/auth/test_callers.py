"""The callers of a server: found by token or certificate, kept over a change of the file."""

from pathlib import Path
from typing import Any

import pytest

from headgate.process import caller_rules
from headgate.reasons import Reason
from headgate_server.auth import callers, callers_file
from headgate_server.auth.callers import Proof
from tests.server.callers import entry, token_entry, write


def load(folder: Path, text: str, **given: Any) -> callers.Callers:
    return callers_file.load(write(folder / "callers.toml", text), **given)


@pytest.mark.parametrize(
    ("metadata", "token"),
    [
        ([], None),
        ([("x", "Bearer a")], None),
        ([("authorization", "Bearer abc")], "abc"),
        ([("authorization", "bearer  abc ")], "abc"),
        ([("authorization", "Basic abc")], ""),
        ([("authorization", "abc")], ""),
        ([("authorization", "")], ""),
        ([("authorization", "Bearer ")], ""),
        ([("authorization", "Bearer ä")], ""),
        ([("authorization", b"Bearer abc")], ""),
        ([("authorization", "Bearer " + "x" * (caller_rules.MAX_TOKEN + 1))], ""),
        ([("authorization", "Bearer abc"), ("authorization", "Bearer abc")], ""),
    ],
)
def test_a_token_is_found_among_metadata(metadata: list[tuple[str, str | bytes]], token: str | None) -> None:
    assert callers.token_in(metadata) == token


def test_a_certificate_that_names_two_callers_names_none(tmp_path: Path) -> None:
    text = entry("a", certificates=["a.example"]) + entry("b", certificates=["b.example"])
    found = load(tmp_path, text, mutual=True)

    proof = found.of_certificate(["host", "a.example"])
    assert isinstance(proof, Proof) and proof.caller.name == "a"
    assert found.of_certificate(["a.example", "b.example"]) is Reason.TOKEN_INVALID
    assert found.of_certificate(["host"]) is Reason.TOKEN_MISSING


def test_a_name_in_a_certificate_is_no_token(tmp_path: Path) -> None:
    found = load(tmp_path, entry("a", certificates=["a.example"]), mutual=True)

    assert found.of_token("a.example", 0) is Reason.TOKEN_INVALID


def test_an_open_stream_outlives_a_change_that_takes_nothing_from_its_caller(tmp_path: Path) -> None:
    def file(name: str = "etl", **given: Any) -> callers.Callers:
        return load(tmp_path, entry(name, token_entry("t"), **given))

    proof = file(connections=["a", "b"], rights=["read"]).of_token("t", 0)
    assert isinstance(proof, Proof)

    assert isinstance(file(connections=["a", "b", "c"]).of_proof(proof, 0), Proof)
    assert isinstance(file().of_proof(proof, 0), Proof)
    assert file(connections=["a"]).of_proof(proof, 0) is Reason.RIGHT_MISSING
    assert file(name="other").of_proof(proof, 0) is Reason.TOKEN_INVALID
    assert load(tmp_path, entry("etl")).of_proof(proof, 0) is Reason.TOKEN_INVALID
