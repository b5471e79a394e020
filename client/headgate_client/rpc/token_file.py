"""A bearer token that is kept in a file, and read again when the file changes, so that a new one is picked up."""

import os
from pathlib import Path

from headgate.process.caller_rules import MAX_TOKEN, is_token


class TokenFile:
    """Reads the token of a file: a function that returns the present one, as `ClientOptions.token` may be.

        ClientOptions(token=TokenFile("/run/secrets/headgate"), tls=Tls())

    A look at the file's time comes before each call. While the file can't be read or holds no token, the last
    one stays.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read the file for the first time.

        Raises OSError when it can't be read, and ValueError when it holds no token; neither shows what it holds.
        """
        self._path = Path(path)
        self._stamp = self._look()
        self._token = self._read()

    def __call__(self) -> str:
        """Return the present token."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._token = self._read()
                self._stamp = stamp
        except (OSError, ValueError):
            return self._token
        return self._token

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"

    def _look(self) -> tuple[int, ...]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> str:
        token = self._path.read_bytes()[: MAX_TOKEN + 2].decode("ascii", "replace").strip()
        if not is_token(token):
            raise ValueError(f"{self._path} holds no token")
        return token
