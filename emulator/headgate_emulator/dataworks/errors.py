"""What the gateway refuses, as codes and HTTP statuses.

One class carries them all: upstream, too, a refusal is only a status and an envelope with five members.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal: `Code`, HTTP status, `Message`, and how long to wait, if the gateway says so (ms)."""

    code: str
    status: int
    message: str
    retry_after_ms: int | None = None


class ApiError(Exception):
    """A request was refused; nothing was changed."""

    def __init__(self, code: str, status: int, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.refusal = Refusal(code, status, message, retry_after_ms)


def missing(parameter: str) -> ApiError:
    """`Missing<Param>`, 400."""
    return ApiError(f"Missing{parameter}", 400, f"{parameter} is mandatory for this action.")


def invalid(parameter: str, why: str) -> ApiError:
    """`InvalidParameter`, 400, naming the parameter."""
    return ApiError("InvalidParameter", 400, f"The specified parameter {parameter} is not valid: {why}")


def not_found(kind: str, identity: object) -> ApiError:
    """`Invalid<Kind>.NotFound`, 404. The code is ours: no source names the real one."""
    return ApiError(f"Invalid{kind}.NotFound", 404, f"The {kind} {identity} does not exist.")
