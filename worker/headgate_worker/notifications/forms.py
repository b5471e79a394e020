"""The request by which an endpoint is told something, in the form it understands, and what its reply means. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from headgate_worker.notifications import signatures
from headgate_worker.notifications.notification import Notification
from headgate_worker.notifications.rules import Form, WebhookEndpoint


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One POST; its address may hold a token."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def request_of(told: Notification, endpoint: WebhookEndpoint, source: str, now_ms: int) -> WebhookRequest:
    """The request, signed where the endpoint has a secret.

    Args:
        told: what is told.
        endpoint: to which endpoint.
        source: of the CloudEvent.
        now_ms: when it is sent.
    """
    kind, said, attributes = _SHAPES[endpoint.form](told, source, endpoint, now_ms // 1000)
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    signed = signatures.headers(endpoint.secret, now_ms // 1000, body)
    return WebhookRequest(_url(endpoint, now_ms), {"Content-Type": kind, **attributes, **signed}, body)


def refusal(form: Form, body: bytes) -> str:
    """Why a reply with a status of success is none; empty when it is. Robots say their errors in the body."""
    names = _CODES.get(form, ())
    if not names:
        return ""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "a reply that is no JSON"
    code = next((said[name] for name in names if name in said), None) if isinstance(said, dict) else None
    return "" if code == 0 else f"code {str(code)[:20]}"


_CODES: Final[Mapping[Form, tuple[str, ...]]] = {Form.DINGTALK: ("errcode",), Form.FEISHU: ("code", "StatusCode")}
"""Fields of a robot's reply that are 0 when the message was taken."""

_JSON: Final = "application/json; charset=utf-8"

Shape = Callable[[Notification, str, WebhookEndpoint, int], tuple[str, Mapping[str, Any], Mapping[str, str]]]
"""Media type, body and headers of a notification."""


def _attributes(told: Notification, source: str) -> dict[str, str]:
    found = {"specversion": "1.0", "id": told.id, "source": source, "type": told.type, "time": told.time}
    return found | ({"subject": told.subject} if told.subject else {})


def _structured(
    told: Notification, source: str, _: WebhookEndpoint, __: int
) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    event = {**_attributes(told, source), "datacontenttype": "application/json", "data": told.data}
    return "application/cloudevents+json; charset=utf-8", event, {}


def _binary(
    told: Notification, source: str, _: WebhookEndpoint, __: int
) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    said = _attributes(told, source)
    return "application/json", told.data, {f"ce-{name}": quote(value, _PLAIN) for name, value in said.items()}


_PLAIN: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What stands in a header as it is, by the HTTP binding of CloudEvents; all else is percent-encoded."""


def _slack(
    told: Notification, _: str, __: WebhookEndpoint, ___: int
) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    return _JSON, {"text": told.text}, _id(told)


def _dingtalk(
    told: Notification, _: str, __: WebhookEndpoint, ___: int
) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    return _JSON, {"msgtype": "text", "text": {"content": told.text}}, _id(told)


def _feishu(
    told: Notification, _: str, endpoint: WebhookEndpoint, now: int
) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    signed = signatures.feishu_fields(endpoint.robot_secret, now) if endpoint.robot_secret else {}
    return _JSON, {**signed, "msg_type": "text", "content": {"text": told.text}}, _id(told)


def _id(told: Notification) -> dict[str, str]:
    return {"ce-id": quote(told.id, _PLAIN)}


_SHAPES: Final[Mapping[Form, Shape]] = {
    Form.CLOUDEVENTS: _structured,
    Form.CLOUDEVENTS_BINARY: _binary,
    Form.SLACK: _slack,
    Form.DINGTALK: _dingtalk,
    Form.FEISHU: _feishu,
}


def _url(endpoint: WebhookEndpoint, now_ms: int) -> str:
    if endpoint.form is not Form.DINGTALK or not endpoint.robot_secret:
        return endpoint.url
    joint = "&" if "?" in endpoint.url else "?"
    return f"{endpoint.url}{joint}{signatures.dingtalk_query(endpoint.robot_secret, now_ms)}"
