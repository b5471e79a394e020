"""The file of callers, tokens and limits, without a server."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headgate.reasons import Reason
from headgate_server.auth import callers, callers_file
from headgate_server.auth.callers import Proof
from headgate_server.ports.caller import Caller, CallerLimits, Right
from headgate_server.process import settings
from tests.server.callers import entry, token_entry, token_of, write

SECRET = "hg_thisisatokenthatsomebodyhaspastedbymistake"


def load(folder: Path, text: str, **given: Any) -> callers.Callers:
    return callers_file.load(write(folder / "callers.toml", text), **given)


def caller_of(found: callers.Callers, token: str, now_ms: int = 0) -> Caller:
    proof = found.of_token(token, now_ms)
    assert isinstance(proof, Proof)
    return proof.caller


def test_an_entry_is_a_caller(tmp_path: Path) -> None:
    text = entry("etl", rights=["write"], connections=["a", ""], max_watches=3, calls_per_second=2.5)

    found = caller_of(load(tmp_path, text), token_of("etl"))

    rights = frozenset({Right.READ, Right.PLAN, Right.WRITE})
    assert found == Caller("etl", rights, frozenset({"a", ""}), CallerLimits(max_watches=3, calls_per_second=2.5))


@pytest.mark.parametrize(
    ("said", "has"),
    [
        (["read"], {Right.READ}),
        (["plan"], {Right.PLAN}),
        (["payloads"], {Right.PAYLOADS}),
        (["write"], {Right.READ, Right.PLAN, Right.WRITE}),
        (["write", "payloads"], set(Right)),
    ],
)
def test_a_right_brings_along_what_it_needs_and_no_payloads(tmp_path: Path, said: list[str], has: set[Right]) -> None:
    assert caller_of(load(tmp_path, entry("etl", rights=said)), token_of("etl")).rights == has


def test_what_an_entry_does_not_say_is_everything_or_what_the_settings_say(tmp_path: Path) -> None:
    usual = CallerLimits(**{limit.name: number for number, limit in enumerate(fields(CallerLimits), start=1)})
    found = caller_of(load(tmp_path, entry("etl", rights=["read"]), usual=usual), token_of("etl"))

    assert found == Caller("etl", frozenset({Right.READ}), None, usual)


@pytest.mark.parametrize("name", [limit.name for limit in fields(CallerLimits)])
def test_every_limit_may_stand_in_an_entry_and_0_lifts_it(tmp_path: Path, name: str) -> None:
    usual = settings.load().caller_limits()
    texts = [f"{entry('etl')}{name} = {number}\n" for number in (0, 7)]
    own = [caller_of(load(tmp_path, text, usual=usual), token_of("etl")).limits for text in texts]

    assert getattr(usual, name) > 0
    assert own == [replace(usual, **{name: 0}), replace(usual, **{name: 7})]


def test_each_of_several_tokens_is_the_caller_until_it_expires(tmp_path: Path) -> None:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    found = load(tmp_path, entry("etl", token_entry("first", end), token_entry("second")))
    end_ms = int(end.timestamp() * 1000)

    assert caller_of(found, "first", end_ms - 1).name == caller_of(found, "second", end_ms).name == "etl"
    assert found.of_token("first", end_ms) is Reason.TOKEN_EXPIRED
    assert found.of_token("third", 0) is Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "callers: Field required"),
        ("[callers]\n", "callers: Dictionary should have at least 1 item"),
        (entry("etl", rights=["rule"]), "callers.etl.rights.0: Input should be 'read', 'plan', 'payloads' or 'write'"),
        ("[callers.etl]\ntokens = []\n", "callers.etl.rights: Field required"),
        (entry("etl", rights=[]), "callers.etl.rights: List should have at least 1 item"),
        (entry("etl", connections=[]), "callers.etl.connections: List should have at least 1 item"),
        (entry("etl", connections=["A B"]), "callers.etl.connections.0: String should match pattern"),
        (entry("etl", max_watches=-1), "callers.etl.max_watches: Input should be greater than or equal to 0"),
        (entry("etl", calls_per_second=-1), "callers.etl.calls_per_second: Input should be greater"),
        (entry("etl", nonsense=1), "callers.etl.nonsense: Extra inputs are not permitted"),
        (entry("etl", f'{{sha256 = "{SECRET}"}}'), "callers.etl.tokens.0.sha256: String should match pattern"),
        (entry("etl", f'{{token = "{SECRET}"}}'), "callers.etl.tokens.0.token: Extra inputs"),
        (entry("etl", f'{{sha256 = "{"0" * 64}", expires = 2027-01-01T00:00:00}}'), "tokens.0.expires: Input should"),
        (entry("Etl"), "callers.Etl.[key]: String should match pattern"),
        (entry("anonymous"), "callers.anonymous: the name stands for somebody else"),
        (entry("worker"), "callers.worker: the name stands for somebody else"),
        (entry("a", token_entry("x")) + entry("b", token_entry("x")), "callers.a and callers.b: the same token twice"),
        (entry("etl", certificates=["etl.example"]), "callers.etl: certificates need HEADGATE_TLS_CLIENT_CA"),
        (
            '[callers.etl]\nrights = ["read"]\ncertificates = ["a\\u0000b"]\n',
            "callers.etl.certificates.0: Value error, a name in a certificate has no",
        ),
        (entry("etl", certificates=["https://a.b"]), "callers.etl.certificates.0: Value error, a name with"),
        (entry("etl", certificates=["spiffe://A.b/c"]), "callers.etl.certificates.0: Value error, a name with"),
        (entry("etl", certificates=["spiffe://a:1/c"]), "callers.etl.certificates.0: Value error, a name with"),
        (entry("etl", certificates=["spiffe://a/c?d"]), "callers.etl.certificates.0: Value error, a name with"),
        (f'[callers.etl]\nrights = "{SECRET}\n', "the file is no TOML (at line 2"),
    ],
)
def test_a_file_that_makes_no_sense_is_complained_of_without_quoting_it(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ValueError) as caught:
        load(tmp_path, text)

    assert complaint in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_example_in_the_documents_is_a_file_of_callers(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/operations.md").read_text()

    found = load(tmp_path, page.partition("```toml\n")[2].partition("```")[0], mutual=True)

    callers_named = {proof.caller.name: proof.caller for proof in found.proofs.values()}
    assert callers_named["scheduler"].connections == frozenset({"", "plant"})
    limits = CallerLimits(50.0, 200, 500, 50, 2_200, 600.0, 10_000, 100_000_000)
    assert callers_named["dashboard"] == Caller("dashboard", frozenset({Right.READ}), None, limits)


def test_a_file_that_is_not_there_or_not_text_is_complained_of(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"can't be read \(FileNotFoundError\)"):
        callers_file.load(tmp_path / "nothing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"can't be read \(UnicodeDecodeError\)"):
        callers_file.load(tmp_path / "binary")
    (tmp_path / "long").write_bytes(b"#" * (callers_file.MAX_BYTES + 1))
    with pytest.raises(ValueError, match="longer than"):
        callers_file.load(tmp_path / "long")
    (tmp_path / "deep").write_text("callers = " + "[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        callers_file.load(tmp_path / "deep")


def test_a_server_does_not_start_on_a_file_that_makes_no_sense(tmp_path: Path) -> None:
    path = write(tmp_path / "callers.toml", entry("etl", f'{{sha256 = "{SECRET}"}}'))

    with pytest.raises(settings.BadSettings, match=r"^HEADGATE_CALLERS: callers\.etl\.tokens\.0\.sha256") as caught:
        settings.load(callers=path)

    assert SECRET not in str(caught.value)


def test_limits_of_callers_need_callers() -> None:
    for name in ("caller_max_watches", "caller_calls_per_second"):
        with pytest.raises(settings.BadSettings, match="needs HEADGATE_CALLERS"):
            settings.load(**{name: 1})
