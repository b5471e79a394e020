"""What plans keep of the dates that they have looked up, for plans of the next minutes. Pure: values and their bytes.

A record that can't be read is as good as none: the date is looked up again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from headgate import pb
from headgate_worker.core.model.view import Sighting


@dataclass(frozen=True, slots=True)
class KeptDate:
    """What a date has upstream, as it was looked up.

    Args:
        at_ms: when the look-up began, at the latest; by the store's clock.
        sighting: the date's latest instance, if any.
        took_ms: how long those of its instances took that succeeded.
        reads: how many reads that was.
    """

    at_ms: int
    sighting: Sighting
    took_ms: tuple[int, ...]
    reads: int


def survey_digest(spec: pb.BackfillSpec, connection: str) -> str:
    """What tells one survey from another, as 32 hex digits: all that decides what is found of a date."""
    parts = (connection, spec.project_id, int(spec.env_type), spec.name, int(spec.reprocess))
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def encode_date(kept: KeptDate) -> str:
    """A record as text."""
    seen = kept.sighting
    return json.dumps((kept.at_ms, kept.reads, seen.instance_id, seen.status, seen.leave, kept.took_ms))


def decode_date(raw: bytes | None) -> KeptDate | None:
    """The record of a text; None where it is none."""
    try:
        at_ms, reads, instance_id, status, leave, took_ms = json.loads(raw or b"null")
        sighting = Sighting(int(instance_id), str(status), bool(leave), next_page=0)
        return KeptDate(int(at_ms), sighting, tuple(map(int, took_ms)), int(reads))
    except (ValueError, TypeError):
        return None
