"""Where a request names its job: in itself, or in the resource that it carries (AIP-134). Pure."""

from __future__ import annotations

from typing import Any

from headgate import pb


def named_job(request: Any) -> Any:
    """The part of a request that has the `name` and the `etag` of the job it is about."""
    return request.job if isinstance(request, pb.UpdateJobRequest) else request
