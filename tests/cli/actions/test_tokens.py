"""`headgate token create`, and commands with the tokens that it makes, against a server with its entries."""

import re
import shlex
import stat
from pathlib import Path

import pytest

from headgate_cli.dev.redis_server import RedisServer
from headgate_server.auth import callers_file
from headgate_server.auth.callers import Proof
from headgate_server.ports.caller import Right
from tests.cli.processes import Done, headgate
from tests.server.world import serving

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[3] / "docs"
TOKEN = re.compile(r"hg_[A-Za-z0-9_-]{43}")


def proof_in(text: str, token: str, folder: Path) -> Proof:
    path = folder / "callers.toml"
    path.write_text(text)
    found = callers_file.load(path).of_token(token, 0)
    assert isinstance(found, Proof)
    return found


async def test_a_token_is_shown_once_and_its_digest_stands_in_the_entry(tmp_path: Path) -> None:
    done = await headgate("token", "create", "scheduler")

    (token,) = TOKEN.findall(done.err)
    assert done.status == 0 and token not in done.out
    proof = proof_in(done.out, token, tmp_path)
    assert (proof.caller.name, proof.caller.rights, proof.caller.connections) == (
        "scheduler",
        Right.WRITE.implied(),
        None,
    )
    assert proof.expire_ms is None


async def test_a_token_goes_into_a_file_for_its_owner_only_and_over_no_other(tmp_path: Path) -> None:
    file = tmp_path / "reports.token"
    words = ("--right", "read", "--connection", "a", "--connection", "", "--expires", "90d", "--token-file", str(file))

    done = await headgate("token", "create", "reports", *words)
    again = await headgate("token", "create", "reports", *words)

    assert (done.status, done.err, stat.S_IMODE(file.stat().st_mode)) == (0, "", 0o600)
    proof = proof_in(done.out, file.read_text().strip(), tmp_path)
    assert (proof.caller.rights, proof.caller.connections) == (frozenset({Right.READ}), frozenset({"a", ""}))
    assert proof.expire_ms is not None
    assert (again.status, again.out) == (2, "") and "File exists" in again.err


async def test_the_commands_of_the_documents_make_one_file_of_callers(tmp_path: Path) -> None:
    pages = "".join((DOCS / page).read_text() for page in ("cli.md", "operations.md"))
    lines = dict.fromkeys(re.findall(r"^headgate (token create .*) >> callers.toml$", pages, re.MULTILINE))
    assert len(lines) >= 2
    for number, line in enumerate(lines):
        folder = tmp_path / str(number)
        folder.mkdir()
        words = [str(folder / word) if word.endswith(".token") else word for word in shlex.split(line)]

        done = await headgate(*words)

        assert (done.status, done.err) == (0, "")
        (token,) = (file.read_text().strip() for file in folder.glob("*.token"))
        assert proof_in(done.out, token, folder).caller.name == words[2]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("Scheduler",), "NAME"),
        (("anonymous",), "NAME"),
        (("scheduler", "--right", "rule"), "--right"),
        (("scheduler", "--connection", "A B"), "--connection"),
        (("scheduler", "--expires", "soon"), "--expires"),
        (("scheduler", "--expires", "99999999d"), "--expires"),
    ],
)
async def test_what_can_be_no_entry_is_refused(words: tuple[str, ...], complaint: str) -> None:
    done = await headgate("token", "create", *words)

    assert (done.status, done.out) == (2, "")
    assert complaint in done.err and not TOKEN.search(done.err)


async def test_a_command_needs_a_token_and_says_so(tmp_path: Path) -> None:
    callers, secret, wrong = tmp_path / "callers.toml", tmp_path / "secret", tmp_path / "wrong"
    entry = await headgate("token", "create", "reports", "--right", "read", "--token-file", str(secret))
    callers.write_text(entry.out)
    wrong.write_text("hg_wrong")
    async with RedisServer() as redis, serving(redis.url, callers=callers) as world:

        async def run(*words: str) -> Done:
            return await headgate(*words, target=world.address)

        good = await run("jobs", "list", "--token-file", str(secret))
        none = await run("jobs", "list")
        bad = await run("jobs", "list", "--token-file", str(wrong))
        denied = await run("cancel", "orders", "--token-file", str(secret))
        missing = await run("jobs", "list", "--token-file", str(tmp_path / "nothing"))

    assert (good.status, good.err) == (0, "")
    assert (none.status, bad.status, denied.status, missing.status) == (5, 5, 5, 2)
    assert "TOKEN_MISSING" in none.err and "--token-file" in none.err
    assert "TOKEN_INVALID" in bad.err and "headgate token create" in bad.err and "hg_wrong" not in bad.err
    assert "RIGHT_MISSING" in denied.err and "Ask the operator" in denied.err
