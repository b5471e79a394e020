"""Callers: what their rights bring along, what they may use, and which of two may do more."""

import pytest

from headgate_server.ports.caller import ANONYMOUS, Caller, Right

READ, PLAN, PAYLOADS, WRITE = Right.READ, Right.PLAN, Right.PAYLOADS, Right.WRITE


def caller(*rights: Right, connections: set[str] | None = None) -> Caller:
    return Caller("ada", frozenset(rights), None if connections is None else frozenset(connections))


def test_the_right_to_write_brings_reading_and_planning_along_but_no_payloads() -> None:
    assert WRITE.implied() == {WRITE, READ, PLAN}
    assert all(right.implied() == {right} for right in (READ, PLAN, PAYLOADS))


def test_a_caller_of_some_connections_uses_no_other() -> None:
    assert caller(READ).may_use("orders") and caller(READ, connections={"orders", ""}).may_use("")
    assert not caller(READ, connections={"orders"}).may_use("") and not caller(READ, connections=set()).may_use(
        "orders"
    )


@pytest.mark.parametrize(("has", "is_named"), [("", "main"), ("main", "")])
def test_the_default_connection_may_be_used_by_both_of_its_names(has: str, is_named: str) -> None:
    found = caller(READ, connections={has}).also_by("main")

    assert found.may_use(has) and found.may_use(is_named) and not found.may_use("orders")


def test_where_the_default_has_no_name_nothing_is_added() -> None:
    narrow, wide = caller(READ, connections={"orders"}), caller(READ)

    assert narrow.also_by("") is narrow and wide.also_by("main") is wide
    assert not caller(READ, connections={"orders"}).also_by("main").may_use("main")


def test_who_sees_all_has_payloads_everywhere() -> None:
    assert caller(READ, PAYLOADS).sees_all and ANONYMOUS.sees_all
    assert not caller(READ, WRITE).sees_all and not caller(READ, PAYLOADS, connections={""}).sees_all


@pytest.mark.parametrize(
    ("more", "less", "holds"),
    [
        (caller(READ, WRITE), caller(READ), True),
        (caller(READ), caller(READ, WRITE), False),
        (caller(READ), caller(READ, connections={"a"}), True),
        (caller(READ, connections={"a"}), caller(READ), False),
        (caller(READ, connections={"a", "b"}), caller(READ, connections={"a"}), True),
        (caller(READ, connections={"a"}), caller(READ, connections={"b"}), False),
        (caller(READ, connections=set()), caller(READ, connections=set()), True),
    ],
)
def test_which_of_two_callers_may_do_all_that_the_other_may(more: Caller, less: Caller, holds: bool) -> None:
    assert more.may_all_of(less) is holds
