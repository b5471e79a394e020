"""The file of rules: what it says, and complaints that name line, field and way out, and no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate import pb
from headgate.process.exposure import Exposure
from headgate_worker.notifications import rule_file
from headgate_worker.notifications.rules import Form, RuleSet
from headgate_worker.upstream.connection_file import Secrets

PAGE = Path(__file__).parents[3] / "docs/notifications.md"
ENVIRONMENT = {
    "SLACK_URL": "https://hooks.slack.com/services/T0K3N",
    "HOOK_SECRET": "s3cret",
    "DINGTALK_URL": "https://oapi.dingtalk.com/robot/send?access_token=T0K3N",
    "DINGTALK_SECRET": "SECr0bot",
}
ENDPOINT = '[endpoints.ops]\nurl = "https://x/T0K3N"\n'
RULE = '[rules.failed]\nendpoint = "ops"\nstates = ["FAILED"]\n'


def load(tmp_path: Path, text: str, meant: frozenset[Exposure] = frozenset()) -> RuleSet:
    path = tmp_path / "notifications.toml"
    path.write_text(text)
    return rule_file.load(path, Secrets(ENVIRONMENT), meant)


def example() -> str:
    return PAGE.read_text().split("```toml\n")[1].split("```")[0]


def test_the_example_of_the_documents_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, example())

    assert {name: endpoint.form for name, endpoint in found.endpoints.items()} == {
        "oncall": Form.SLACK,
        "ledger": Form.CLOUDEVENTS,
        "etl-group": Form.DINGTALK,
    }
    assert found.endpoints["oncall"].url == ENVIRONMENT["SLACK_URL"]
    assert found.endpoints["ledger"].secret == "s3cret"
    assert found.endpoints["etl-group"].robot_secret == "SECr0bot"
    assert found.rules[0].states == {pb.JOB_STATE_FAILED, pb.JOB_STATE_NEEDS_ATTENTION}
    assert pb.EVENT_TYPE_WARNING in found.rules[-1].events


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "the file is no TOML (at "),
        ("a = " + "[" * 9_999, "nested too deeply"),
        (ENDPOINT, "rules: Field required"),
        (
            ENDPOINT + "[rules.a]\nendpoint = 'ops'\n",
            'line 3, rules.a: say which changes are told: states = ["FAILED"]',
        ),
        (ENDPOINT + RULE + "filter = 'stat = X'\n", "line 3, rules.failed.filter: column 1: unknown field 'stat'"),
        (
            ENDPOINT + RULE.replace("FAILED", "FAILD"),
            "rules.failed.states.0: unknown state 'FAILD': did you mean FAILED",
        ),
        (ENDPOINT + RULE + 'events = ["WARN"]\n', "unknown type of event 'WARN': did you mean WARNING"),
        (ENDPOINT + RULE + 'text = "{jb}"\n', "rules.failed.text: unknown field 'jb': did you mean job"),
        (
            ENDPOINT + RULE.replace('"ops"', '"opps"'),
            "rules.failed.endpoint: unknown endpoint 'opps': did you mean ops",
        ),
        (ENDPOINT + "form = 'slak'\n" + RULE, "line 1, endpoints.ops.form: unknown form 'slak': did you mean slack"),
        (ENDPOINT + "colour = 1\n" + RULE, "line 1, endpoints.ops.colour: Extra inputs"),
        (ENDPOINT + "url_env = 'X'\n" + RULE, "endpoints.ops: give one of url, url_env and url_file"),
        (ENDPOINT + "secret_env = 'X'\n" + RULE, "endpoints.ops: variable X holds no credential"),
        (ENDPOINT + "robot_secret_env = 'HOOK_SECRET'\n" + RULE, "robot_secret is for the forms dingtalk and feishu"),
        (ENDPOINT + "parallel = 0\n" + RULE, "endpoints.ops.parallel: Input should be greater"),
        (ENDPOINT.replace("https:", "ftp:") + RULE, "endpoints.ops: url has to be https://HOST"),
        (ENDPOINT.replace("x/", "u:T0K3N@x/") + RULE, "url takes no user"),
        (ENDPOINT.replace("x/", "x:99999/") + RULE, "url is no address"),
        (ENDPOINT.replace("https:", "http:") + RULE, "say HEADGATE_ALLOW_INSECURE=plaintext-webhook"),
        (ENDPOINT.replace("ops", "Ops") + RULE, "endpoints.Ops"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_place_and_without_its_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match="HEADGATE_NOTIFICATIONS: ") as caught:
        load(tmp_path, text)

    assert said in str(caught.value)
    assert not {word for word in ("T0K3N", "s3cret") if word in str(caught.value)}


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"can't be read \(FileNotFoundError\)"):
        rule_file.load(tmp_path / "none.toml", Secrets({}), frozenset())


def test_plaintext_to_another_machine_has_to_be_meant_and_to_this_one_not(tmp_path: Path) -> None:
    open_one = ENDPOINT.replace("https:", "http:") + RULE
    found = load(tmp_path, open_one, frozenset({Exposure.PLAINTEXT_WEBHOOK}))

    assert rule_file.exposures(found) == {Exposure.PLAINTEXT_WEBHOOK}
    assert not rule_file.exposures(load(tmp_path, open_one.replace("//x", "//127.0.0.1:9")))
