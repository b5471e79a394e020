"""The two names of the default connection."""

import pytest

from headgate.store.connection_names import all_of, both, resolved


@pytest.mark.parametrize(
    ("name", "default", "wanted"),
    [
        ("", "main", ("main", "")),
        ("main", "main", ("main", "")),
        ("orders", "main", ("orders", "orders")),
        ("", "", ("", "")),
        ("orders", "", ("orders", "orders")),
    ],
)
def test_only_the_default_connection_has_another_name(name: str, default: str, wanted: tuple[str, str]) -> None:
    assert both(name, default) == wanted


def test_the_empty_name_is_resolved_where_the_default_is_known() -> None:
    assert (resolved("", "main"), resolved("orders", "main"), resolved("", "")) == ("main", "orders", "")


def test_every_name_of_some_connections() -> None:
    assert all_of(["main", "orders"], "main") == {"main", "", "orders"}
    assert all_of([], "main") == frozenset() and all_of([""], "") == {""}
