"""What callers, tokens and rights may be called."""

from __future__ import annotations

import pytest

from headgate.process import caller_rules
from headgate.process.caller_rules import MAX_TOKEN, RESERVED, RESOURCE_ID, RIGHTS, is_resource_id, is_token
from headgate_server.ports.caller import ANONYMOUS, Right
from tests.architecture.repository import ROOT, SOURCE_ROOTS, python_files, relative


@pytest.mark.parametrize("name", ["a", "a1", "a-b", "a" * 63])
def test_a_name_has_small_letters_digits_and_hyphens(name: str) -> None:
    assert is_resource_id(name)


@pytest.mark.parametrize("name", ["", "1a", "-a", "a-", "A", "ä", "a_b", "a\n", "a" * 64])
def test_what_no_name_may_be(name: str) -> None:
    assert not is_resource_id(name)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("x", True), ("x" * MAX_TOKEN, True), ("x" * (MAX_TOKEN + 1), False), ("", False), ("a b", False), ("ä", False)],
)
def test_what_a_token_may_be(text: str, is_one: bool) -> None:
    assert is_token(text) is is_one


def test_rights_and_reserved_names_are_the_servers() -> None:
    assert tuple(right.value for right in Right) == RIGHTS
    assert ANONYMOUS.name in RESERVED


def test_the_pattern_stands_in_one_module_and_in_the_proto_files() -> None:
    """`pattern_words` says what a pattern of a .proto file allows, and goes by its text."""
    sources = [path for path in python_files() if relative(path).startswith(SOURCE_ROOTS)]
    found = {relative(path) for path in sources if "[a-z0-9-]{0,61}" in path.read_text()}
    words = "server/headgate_server/requests/pattern_words.py"

    assert found == {str((ROOT / caller_rules.__file__).relative_to(ROOT)), words}
    assert f'"^({RESOURCE_ID})?$"' in (ROOT / "protos/headgate/v1/admin_service.proto").read_text()
