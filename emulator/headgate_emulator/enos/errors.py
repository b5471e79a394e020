"""Refusals, with the gateway's and the service's own codes."""


class EnosError(Exception):
    """A call is refused. `code` is the number in the reply's envelope; `apim` puts it into `apim_status` instead."""

    def __init__(self, code: int, message: str, *, status: int = 200, apim: bool = False) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status
        self.apim = apim


REPLAYED = 1001
UNKNOWN_APP = 1002
BAD_PROOF = 1003
BAD_PARAMETER = 1004
EMPTY_PARAMETER = 1202
TOKEN_EXPIRED = 1203
REFRESH_FAILED = 1204
TOKEN_STALE = 4011
WRONG_USER = 62101
BAD_REQUEST = 62102
NO_PRIVILEGE = 62103
NO_TASK = 62104
INTERNAL = 62109


def bad_request(message: str) -> EnosError:
    """A parameter makes no sense, or names something that is not there."""
    return EnosError(BAD_REQUEST, message)
