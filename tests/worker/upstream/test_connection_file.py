"""The file of named connections: what it says, what it must not say, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.quota.limits import EDITIONS
from headgate_worker.upstream.connection_file import DataWorksEntry, EnosEntry, Secrets, load

GOOD = """
default = "plant"

[connections.plant]
kind = "enos"
endpoint = "https://gateway.example"
generation = "v2.0"
user_id = "u"
org_id = "o"
app_key_env = "PLANT_KEY"
app_secret_file = "{secret}"
trigger_zone = "+08:00"
run_zone = "UTC"
total_qps = 3

[connections.shanghai]
kind = "dataworks"
region = "cn-shanghai"
edition = "enterprise"
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("hush\n")
    return path


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "connections.toml"
    path.write_text(text)
    return str(path)


def test_several_clouds_in_one_file(tmp_path: Path, secret: Path) -> None:
    found = load(written(tmp_path, GOOD.format(secret=secret)))
    plant, shanghai = found.connections["plant"], found.connections["shanghai"]

    assert found.default == "plant"
    assert isinstance(plant, EnosEntry) and isinstance(shanghai, DataWorksEntry)
    settings = plant.settings(Secrets({"PLANT_KEY": "key"}))
    assert (settings.app_key, settings.app_secret, settings.generation) == ("key", "hush", "v2.0")
    assert (plant.limits().total_qps, shanghai.limits()) == (3, EDITIONS["enterprise"])
    assert shanghai.settings(Secrets({})).credentials is None
    assert "hush" not in repr(found) + repr(settings)


def test_without_a_file_there_is_none() -> None:
    assert not load("").connections


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "can't be read"),
        ("[connections.plant]\nkind = 'enos'\nendpoint = 'http://h'", "user_id"),
        ("[connections.plant]\nkind = 'nifi'", "kind"),
        ("[connections.PLANT]\nkind = 'dataworks'", "PLANT"),
        ("[connections.a]\nkind = 'dataworks'\naccess_key_secret = 'hush'", "access_key_secret"),
        ("[connections.a]\nkind = 'dataworks'\nedition = 'hush'", "edition"),
        ("default = 'b'\n[connections.a]\nkind = 'dataworks'", "default"),
        ("colour = 'red'", "colour"),
    ],
)
def test_what_makes_no_sense_is_named_and_never_quoted(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        load(written(tmp_path, text))

    assert "HEADGATE_CONNECTIONS" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_credentials_that_are_not_where_they_should_be(tmp_path: Path) -> None:
    read = Secrets({"EMPTY": "  ", "LINES": "a\nb"})

    for variable, file in (("ABSENT", ""), ("EMPTY", ""), ("LINES", ""), ("", str(tmp_path / "no")), ("A", "b")):
        with pytest.raises(ValueError, match=r".+"):
            read("app_key", variable, file)
    entry = DataWorksEntry(kind="dataworks", access_key_id_env="ID")
    with pytest.raises(ValueError, match="go together"):
        entry.settings(Secrets({"ID": "id"}))


def test_a_file_that_is_not_there_stops_the_process() -> None:
    with pytest.raises(ValueError, match="FileNotFoundError"):
        load("no/such/file.toml")
