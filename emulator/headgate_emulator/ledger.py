"""The call ledger: one row for each call that arrived, whatever became of it."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

MAX_TEXT = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One call. `at_ms` is virtual time; `applied` says that the operation took effect (or was read).

    `status` is what the caller saw, 0 if the connection was closed instead. `code` is the refusal's code,
    empty for none. `fault` names the fault that struck the call, if one did. Signatures and security tokens
    never enter `params`.
    """

    seq: int = 0
    at_ms: int
    action: str
    params: Mapping[str, str]
    access_key: str
    protocol: str
    status: int
    code: str
    request_id: str
    applied: bool
    fault: str | None = None


class Ledger:
    """The newest `limit` rows, numbered from 1 without gaps; older ones are dropped and counted."""

    def __init__(self, limit: int) -> None:
        self._rows: deque[LedgerRow] = deque(maxlen=limit)
        self._total = 0

    def __iter__(self) -> Iterator[LedgerRow]:
        """The rows that are kept, oldest first."""
        return iter(tuple(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def total(self) -> int:
        """How many rows were ever written; also the newest row's number."""
        return self._total

    def write(self, row: LedgerRow) -> LedgerRow:
        """Append a row; returns it with its number. Parameters are cut to 16,384 characters."""
        self._total += 1
        params = {name[:MAX_TEXT]: value[:MAX_TEXT] for name, value in row.params.items()}
        numbered = replace(row, seq=self._total, params=params)
        self._rows.append(numbered)
        return numbered

    def mark_applied(self, seq: int) -> None:
        """Note that the call of a row has taken effect after all; nothing when the row was dropped."""
        index = len(self._rows) - 1 - (self._total - seq)
        if index >= 0:
            self._rows[index] = replace(self._rows[index], applied=True)

    def rows(self, *, action: str | None = None, after: int = 0) -> list[LedgerRow]:
        """The rows of one action, or of all, with a number above `after`."""
        return [row for row in self._rows if row.seq > after and action in (None, row.action)]
