"""What plans keep of a date: as it was, and no record where it can't be read."""

import pytest

from headgate import pb
from headgate_worker.core.model.kept_survey import KeptDate, decode_date, encode_date, survey_digest
from headgate_worker.core.model.view import Sighting

KEPT = KeptDate(1_739_000_000_000, Sighting(7, 'Suc"cess', leave=True, next_page=0), (1_200, 900), 2)


def test_a_record_is_read_as_it_was_written() -> None:
    assert decode_date(encode_date(KEPT).encode()) == KEPT


@pytest.mark.parametrize(
    "raw", [None, b"", b"null", b"[]", b"\xff", b"{}", b'[1, 2, 3, "", true, [null]]', b'[1, 2, 3, "", true, 4]']
)
def test_what_is_none_is_none(raw: bytes | None) -> None:
    assert decode_date(raw) is None


def test_whatever_decides_what_is_found_tells_surveys_apart() -> None:
    spec = pb.BackfillSpec(project_id=1, name="orders", reprocess=pb.REPROCESS_MISSING_ONLY)
    others = [
        pb.BackfillSpec(project_id=2, name="orders", reprocess=pb.REPROCESS_MISSING_ONLY),
        pb.BackfillSpec(project_id=1, name="order", reprocess=pb.REPROCESS_MISSING_ONLY),
        pb.BackfillSpec(project_id=1, name="orders", reprocess=pb.REPROCESS_MISSING_AND_FAILED),
        pb.BackfillSpec(project_id=1, name="orders", reprocess=spec.reprocess, env_type=pb.ENV_TYPE_DEV),
    ]
    found = {survey_digest(one, "a") for one in (spec, *others)} | {survey_digest(spec, "b")}
    assert len(found) == 6

    wider = pb.BackfillSpec(project_id=1, name="orders", reprocess=spec.reprocess)
    wider.biz_dates.add()
    wider.default_run_properties.parallelism = 4
    assert survey_digest(wider, "a") == survey_digest(spec, "a")
