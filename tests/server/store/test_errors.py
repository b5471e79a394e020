"""Errors of redis-py become the server's own."""

from headgate_server.errors.exceptions import StoreUnavailable
from headgate_server.store.errors import classify


def test_words_of_the_client_library_go_no_further() -> None:
    found = classify(ConnectionRefusedError("redis://user:secret@host"))

    assert isinstance(found, StoreUnavailable)
    assert "secret" not in str(found)
    assert classify(ValueError("a mistake of ours")) is None
