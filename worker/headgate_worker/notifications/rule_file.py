"""The file of endpoints and rules, HEADGATE_NOTIFICATIONS: read at the start, and again when it changes.

It says where secrets are kept, never what they are. Complaints name the line and the field and quote no value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from headgate import pb
from headgate.messages import filters, word_choice
from headgate.process import exposure
from headgate.process.caller_rules import RESOURCE_ID
from headgate.process.exposure import Exposure
from headgate_worker.notifications import texts
from headgate_worker.notifications.rules import Form, Rule, RuleSet, WebhookEndpoint

VARIABLE: Final = "HEADGATE_NOTIFICATIONS"

MAX_BYTES: Final = 1024 * 1024
"""Longest file that is read."""

Secret = Callable[[str, str, str], str]
"""Reads what is called so from an environment variable or a file; empty when neither is named. Raises ValueError."""


def _words(values: Mapping[str, int], prefix: str, what: str) -> Callable[[str], int]:
    known = {name.removeprefix(prefix): number for name, number in values.items() if number}

    def number(word: str) -> int:
        if word.removeprefix(prefix) not in known:
            raise ValueError(word_choice.unknown(what, word, list(known)))
        return known[word.removeprefix(prefix)]

    return number


_state = _words(dict(pb.JobState.items()), "JOB_STATE_", "state")
_type = _words(dict(pb.EventType.items()), "EVENT_TYPE_", "type of event")


def _state_name(word: str) -> str:
    _state(word)
    return word


def _type_name(word: str) -> str:
    _type(word)
    return word


def _filter(text: str) -> str:
    filters.parse(text)
    return text


def _text(text: str) -> str:
    texts.check(text)
    return text


def _form(word: str) -> str:
    if word not in (known := [form.value for form in Form]):
        raise ValueError(word_choice.unknown("form", word, known))
    return word


Name = Annotated[str, Field(pattern=f"^{RESOURCE_ID}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class EndpointEntry(_Table):
    """One endpoint. Its address may be a secret, too."""

    form: Annotated[str, AfterValidator(_form)] = Form.CLOUDEVENTS.value
    url: str = ""
    url_env: str = ""
    url_file: str = ""
    secret_env: str = ""
    secret_file: str = ""
    robot_secret_env: str = ""
    robot_secret_file: str = ""
    parallel: Annotated[int, Field(ge=1, le=20)] = 4
    queue: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    attempts: Annotated[int, Field(ge=1, le=100)] = 20
    give_up_seconds: Annotated[float, Field(ge=1, le=7 * 86_400)] = 3_600.0
    timeout_seconds: Annotated[float, Field(ge=0.1, le=60)] = 10.0

    def endpoint(self, name: str, read: Secret) -> WebhookEndpoint:
        """The endpoint. Raises ValueError."""
        form, robot_secret = Form(self.form), read("robot_secret", self.robot_secret_env, self.robot_secret_file)
        if robot_secret and form not in (Form.DINGTALK, Form.FEISHU):
            raise ValueError("robot_secret is for the forms dingtalk and feishu; secret signs all others")
        bounds = {name: getattr(self, name) for name in _BOUNDS}
        secret = read("secret", self.secret_env, self.secret_file)
        url = _checked_url(self._address(read))
        return WebhookEndpoint(name=name, url=url, form=form, secret=secret, robot_secret=robot_secret, **bounds)

    def _address(self, read: Secret) -> str:
        if bool(self.url) + bool(self.url_env) + bool(self.url_file) != 1:
            raise ValueError("give one of url, url_env and url_file")
        return self.url or read("url", self.url_env, self.url_file)


_BOUNDS: Final = ("parallel", "queue", "attempts", "give_up_seconds", "timeout_seconds")


class RuleEntry(_Table):
    """One rule: which jobs, which of their events, to which endpoint."""

    endpoint: str
    filter: Annotated[str, AfterValidator(_filter)] = ""
    states: tuple[Annotated[str, AfterValidator(_state_name)], ...] = ()
    events: tuple[Annotated[str, AfterValidator(_type_name)], ...] = ()
    text: Annotated[str, Field(max_length=texts.MAX_TEXT), AfterValidator(_text)] = ""

    def rule(self, name: str) -> Rule:
        """The rule. Raises ValueError."""
        if not self.states and not self.events:
            raise ValueError('say which changes are told: states = ["FAILED"], events = ["WARNING"], or both')
        states, events = frozenset(map(_state, self.states)), frozenset(map(_type, self.events))
        return Rule(name, self.endpoint, filters.parse(self.filter), states, events, self.text)  # type: ignore[arg-type]


class NotificationsTable(_Table):
    """The whole file."""

    source: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")] = "headgate"
    endpoints: Annotated[dict[Name, EndpointEntry], Field(min_length=1, max_length=50)]
    rules: Annotated[dict[Name, RuleEntry], Field(min_length=1, max_length=200)]


def load(path: Path, read: Secret, meant: frozenset[Exposure]) -> RuleSet:
    """Read the file.

    Args:
        path: where it is.
        read: reads secrets.
        meant: what may be open beyond this machine.

    Raises:
        ValueError: it can't be read, or says something that makes no sense; values are never quoted.
    """
    text = _content(path)
    try:
        return _rule_set(text, read, meant)
    except ValidationError as error:
        rows = error.errors(include_url=False, include_context=False, include_input=False)
        said = "; ".join(_at(text, row["loc"], row["msg"].removeprefix("Value error, ")) for row in rows[:_MOST])
        raise ValueError(f"{VARIABLE}: {said}") from None
    except _WrongEntry as error:
        raise ValueError(f"{VARIABLE}: {_at(text, error.place, error.problem)}") from None


def exposures(rules: RuleSet) -> frozenset[Exposure]:
    """What the endpoints do in the open."""
    return frozenset().union(*(exposure.of_webhook(endpoint.url) for endpoint in rules.endpoints.values()))


_MOST: Final = 5
"""Complaints that are told at once."""


class _WrongEntry(Exception):
    def __init__(self, place: tuple[str, ...], problem: str) -> None:
        super().__init__(problem)
        self.place = place
        self.problem = problem


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"{VARIABLE}: the file is longer than {MAX_BYTES} bytes")
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{VARIABLE}: the file can't be read ({type(error).__name__})") from None


def _rule_set(text: str, read: Secret, meant: frozenset[Exposure]) -> RuleSet:
    found = NotificationsTable.model_validate(_toml(text))
    endpoints = {
        name: _made(("endpoints", name), lambda: entry.endpoint(name, read))  # noqa: B023 - called at once
        for name, entry in found.endpoints.items()
    }
    for name, endpoint in endpoints.items():
        if refused := exposure.refusal(exposure.of_webhook(endpoint.url), meant):
            raise _WrongEntry(("endpoints", name, "url"), refused)
    rules = tuple(_rule(name, entry, endpoints) for name, entry in found.rules.items())
    return RuleSet(found.source, endpoints, rules)


def _rule(name: str, entry: RuleEntry, endpoints: Iterable[str]) -> Rule:
    if entry.endpoint not in endpoints:
        known = word_choice.unknown("endpoint", entry.endpoint, list(endpoints))
        raise _WrongEntry(("rules", name, "endpoint"), known)
    rule: Rule = _made(("rules", name), lambda: entry.rule(name))
    return rule


def _made(place: tuple[str, ...], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError as error:
        raise _WrongEntry(place, str(error)) from None


_PLACE: Final = re.compile(r"\(at [^()]*\)$")


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        raise _WrongEntry((), f"the file is no TOML {place.group() if place else ''}".rstrip()) from None
    except RecursionError:
        raise _WrongEntry((), "the file is nested too deeply") from None


def _at(text: str, place: Iterable[object], problem: str) -> str:
    """A complaint with the line of the entry's table, where that is found, and the field."""
    words = [str(word) for word in place]
    table = r"\s*\.\s*".join(map(re.escape, words[:2]))
    header = re.compile(rf"\s*\[\s*{table}\s*\]")
    lines = text.splitlines()
    number = next((i for i, line in enumerate(lines, 1) if len(words) > 1 and header.match(line)), 0)
    return f"{f'line {number}, ' if number else ''}{'.'.join(words)}{': ' if words else ''}{problem}"


def _checked_url(url: str) -> str:
    try:
        found = urlsplit(url)
        port_is_fine = found.port is None or found.port > 0
    except ValueError:
        raise ValueError("url is no address") from None
    if found.scheme.lower() not in ("http", "https") or not found.hostname or not port_is_fine:
        raise ValueError("url has to be https://HOST/..., or http:// on this machine")
    if found.username is not None or found.fragment or not url.isprintable() or " " in url:
        raise ValueError("url takes no user, no fragment and no blanks")
    return url
