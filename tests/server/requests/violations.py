"""What a refused request is told, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from headgate_server.errors.exceptions import Refused
from headgate_server.requests import validator


def refusal(request: Any) -> dict[str, str]:
    with pytest.raises(Refused) as caught:
        validator.check(request)
    found: dict[str, str] = {}
    for detail in caught.value.details:
        found |= {row.field: row.description for row in getattr(detail, "field_violations", ())}
    return found
