"""The ledger of calls: numbered, bounded, filtered."""

from headgate_emulator.ledger import MAX_TEXT, Ledger, LedgerRow


def row(action: str = "A", **params: str) -> LedgerRow:
    return LedgerRow(
        at_ms=1, action=action, params=params, access_key="k", protocol="RPC1", status=200, code="",
        request_id="r", applied=True,
    )  # fmt: skip


def test_the_ledger_numbers_its_rows_and_drops_the_oldest() -> None:
    ledger = Ledger(2)

    for action in ("A", "B", "A"):
        ledger.write(row(action))

    assert [one.seq for one in ledger] == [2, 3]
    assert (ledger.total, len(ledger)) == (3, 2)
    assert [one.seq for one in ledger.rows(action="A")] == [3]
    assert [one.seq for one in ledger.rows(after=2)] == [3]


def test_the_ledger_cuts_long_parameters() -> None:
    assert len(Ledger(1).write(row(Name="x" * 100_000)).params["Name"]) == MAX_TEXT
