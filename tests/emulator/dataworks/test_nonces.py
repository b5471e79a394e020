"""Nonces of signed requests, kept for as long as they can be replayed."""

from headgate_emulator.dataworks.nonces import Nonces
from headgate_emulator.dataworks.signing import MAX_SKEW_MS


def test_nonces_are_remembered_as_long_as_they_can_be_replayed() -> None:
    nonces = Nonces()

    nonces.use("a", 0)
    nonces.use("b", MAX_SKEW_MS)
    assert nonces.used("a") and nonces.used("b")

    nonces.use("c", 2 * MAX_SKEW_MS + 1)
    assert not nonces.used("a") and nonces.used("b")
