"""Requests in the form that each endpoint understands, and what its replies mean."""

from __future__ import annotations

import json

import pytest

from headgate_worker.notifications import forms, signatures
from headgate_worker.notifications.forms import WebhookRequest
from headgate_worker.notifications.rules import Form, WebhookEndpoint
from tests.worker.notifications.building import told

NOW = 1_700_000_000_123
URL = "https://hooks.example/T0K3N"


def request(form: Form, secret: str = "", robot: str = "", url: str = URL) -> WebhookRequest:
    endpoint = WebhookEndpoint(name="e", url=url, form=form, secret=secret, robot_secret=robot)
    return forms.request_of(told(), endpoint, "headgate/eu", NOW)


def test_a_cloudevent_is_one_object() -> None:
    found = request(Form.CLOUDEVENTS)

    assert found.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert json.loads(found.body) == {
        "specversion": "1.0",
        "id": "u.1.r",
        "source": "headgate/eu",
        "type": "headgate.v1.job.warning",
        "subject": "jobs/a",
        "time": "2025-02-05T00:00:00Z",
        "datacontenttype": "application/json",
        "data": {"n": 1},
    }


def test_a_binary_one_has_its_attributes_in_headers() -> None:
    found = request(Form.CLOUDEVENTS_BINARY)

    assert json.loads(found.body) == {"n": 1}
    assert found.headers == {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "u.1.r",
        "ce-source": "headgate/eu",
        "ce-type": "headgate.v1.job.warning",
        "ce-time": "2025-02-05T00:00:00Z",
        "ce-subject": "jobs/a",
    }


def test_robots_get_their_own_forms_and_the_id_in_a_header() -> None:
    assert json.loads(request(Form.SLACK).body) == {"text": "text"}
    assert json.loads(request(Form.DINGTALK).body) == {"msgtype": "text", "text": {"content": "text"}}
    assert json.loads(request(Form.FEISHU).body) == {"msg_type": "text", "content": {"text": "text"}}
    for form in (Form.SLACK, Form.DINGTALK, Form.FEISHU):
        assert request(form).headers["ce-id"] == "u.1.r"


@pytest.mark.parametrize("form", Form)
def test_every_form_is_signed_over_the_body_that_is_sent(form: Form) -> None:
    found = request(form, secret="s3cret")

    assert found.headers["Headgate-Signature"] == f"v1={signatures.sign('s3cret', NOW // 1000, found.body)}"
    assert not {"s3cret", "T0K3N"} & set(repr(found).replace("/", "'").split("'"))


def test_robots_that_check_signatures_get_theirs() -> None:
    joined = request(Form.DINGTALK, robot="SEC", url=f"{URL}?access_token=a").url
    assert joined == f"{URL}?access_token=a&{signatures.dingtalk_query('SEC', NOW)}"
    assert request(Form.DINGTALK, robot="SEC").url == f"{URL}?{signatures.dingtalk_query('SEC', NOW)}"
    assert request(Form.DINGTALK).url == URL
    said = json.loads(request(Form.FEISHU, robot="SEC").body)
    assert {name: said[name] for name in ("timestamp", "sign")} == signatures.feishu_fields("SEC", NOW // 1000)


@pytest.mark.parametrize(
    ("form", "body", "refused"),
    [
        (Form.SLACK, b"ok", False),
        (Form.CLOUDEVENTS, b"", False),
        (Form.DINGTALK, b'{"errcode":0,"errmsg":"ok"}', False),
        (Form.DINGTALK, b'{"errcode":310000,"errmsg":"sign not match"}', True),
        (Form.DINGTALK, b"<html>", True),
        (Form.DINGTALK, b"[]", True),
        (Form.FEISHU, b'{"code":0}', False),
        (Form.FEISHU, b'{"StatusCode":0}', False),
        (Form.FEISHU, b'{"code":19021}', True),
        (Form.FEISHU, b"{}", True),
        (Form.FEISHU, b"[" * 65_536, True),
        (Form.FEISHU, b"\xff\xfe", True),
    ],
)
def test_robots_say_errors_in_the_body(form: Form, body: bytes, refused: bool) -> None:
    assert bool(forms.refusal(form, body)) is refused
