"""Specs of flags and files."""

import json
from pathlib import Path

import pytest

from headgate import pb
from headgate_cli.input.spec_parameters import CreationFlags, PolicyFlags, RerunFlags, RunFlags
from headgate_cli.input.specs import adhoc, backfill, create, from_file, rerun
from headgate_cli.process.exit_codes import UsageFault


def test_an_unknown_word_in_a_spec_file_names_the_known_ones(tmp_path: Path) -> None:
    wrong = tmp_path / "spec.json"
    wrong.write_text('{"defaultRunProperties": {"mode": "BACKFILL_MODE_ALL_DOWNSTREM"}}')

    with pytest.raises(UsageFault, match=r"did you mean BACKFILL_MODE_ALL_DOWNSTREAM[?] Known are BACKFILL_MODE_UN"):
        from_file(str(wrong), pb.BackfillSpec())


def spec_file(tmp_path: Path, **members: object) -> str:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(members))
    return str(path)


def test_a_flag_overrides_the_file_and_the_rest_of_it_stays(tmp_path: Path) -> None:
    dates = [{"startBizDate": {"year": 2024, "month": 1, "day": 1}, "endBizDate": {"year": 2024, "month": 1, "day": 2}}]
    properties = {"rootTaskIds": ["1", "2"], "includeTaskIds": ["3"], "parallelism": 4}
    path = spec_file(tmp_path, name="old", comment="kept", bizDates=dates, defaultRunProperties=properties)
    flags = RunFlags(name="new", biz_dates=["2025-02-05"], root_task_ids=["7"], mode="Chain")

    found = backfill(flags, PolicyFlags(on_failure="Continue", max_attempts=3), path)

    assert (found.name, found.comment, found.on_failure) == ("new", "kept", pb.ON_FAILURE_CONTINUE)
    assert found.max_attempts_per_date == 3
    assert [one.start_biz_date.year for one in found.biz_dates] == [2025]
    chosen = found.default_run_properties
    assert ([*chosen.root_task_ids], [*chosen.include_task_ids], chosen.parallelism) == ([7], [3], 4)
    assert chosen.mode == pb.BACKFILL_MODE_CHAIN


def test_without_a_flag_about_runs_there_are_no_run_properties() -> None:
    assert not backfill(RunFlags(name="n"), PolicyFlags(), "").HasField("default_run_properties")


def test_a_create_starts_by_itself_only_where_that_was_typed() -> None:
    assert create(RunFlags(), CreationFlags(auto_start=True), "").auto_start_enabled
    plain = create(RunFlags(biz_dates=["2025-02-05"]), CreationFlags(type="Manual"), "")
    assert not plain.HasField("auto_start_enabled") and plain.type == pb.WORKFLOW_INSTANCE_TYPE_MANUAL
    assert len(plain.periods.biz_dates) == 1 and not create(RunFlags(), CreationFlags(), "").HasField("periods")


def test_a_rerun_names_ids_a_date_and_its_environment() -> None:
    found = rerun(["5,6"], RerunFlags(project_id=1, biz_date="2025-02-05", env_type="Prod"), "")

    assert ([*found.ids], found.biz_date.day, found.env_type) == ([5, 6], 5, pb.ENV_TYPE_PROD)


def test_the_tasks_of_an_ad_hoc_run_come_from_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="--spec"):
        adhoc("")
    assert adhoc(spec_file(tmp_path, name="once")).name == "once"


@pytest.mark.parametrize("text", ["{", "7", '{"noSuchField": 1}', '{"projectId": "x"}'])
def test_a_file_that_is_no_spec_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(text)

    with pytest.raises(UsageFault, match=r"spec\.json is no BackfillSpec in proto JSON"):
        from_file(str(path), pb.BackfillSpec())


def test_a_file_that_is_not_there_is_an_error_of_the_machine() -> None:
    with pytest.raises(OSError):
        from_file("/no/such/file", pb.BackfillSpec())
