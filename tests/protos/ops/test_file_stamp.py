"""A file's stamp changes when the file does."""

import os
from pathlib import Path

from headgate_ops.file_stamp import FileStamps, stamp


def test_a_file_that_is_not_there_has_an_empty_stamp(tmp_path: Path) -> None:
    assert stamp(tmp_path / "callers.toml") == ()


def test_a_stamp_stays_while_the_file_does(tmp_path: Path) -> None:
    path = tmp_path / "callers.toml"
    path.write_text("a")

    assert stamp(path) == stamp(path) != ()


def test_a_file_of_the_same_length_and_time_that_was_moved_into_place_has_another_stamp(tmp_path: Path) -> None:
    path, other = tmp_path / "callers.toml", tmp_path / "new.toml"
    path.write_text("a")
    before = stamp(path)
    other.write_text("b")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))

    other.replace(path)

    assert stamp(path) != before


def test_a_longer_file_of_the_same_time_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "callers.toml"
    path.write_text("a")
    before, times = stamp(path), (path.stat().st_atime_ns, path.stat().st_mtime_ns)

    path.write_text("aa")
    os.utime(path, ns=times)

    assert stamp(path) != before


async def test_each_change_of_followed_files_is_told_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("a")
    stamps = FileStamps(first, second)
    assert not await stamps.have_changed()

    second.write_text("b")

    assert [await stamps.have_changed() for _ in range(2)] == [True, False]
    first.unlink()
    assert [await stamps.have_changed() for _ in range(2)] == [True, False]
