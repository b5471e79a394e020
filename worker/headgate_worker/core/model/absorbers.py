"""Rows of a table of absorbers: the functions that take a call's outcome into a job, each by the type of its call.

The type checker compares the body that an absorber expects with the body that its call brings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headgate_worker.core.model.calls import Outcome, OutcomeOf
from headgate_worker.core.model.steps import Change
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.core.model.view import View

Absorber = Callable[[View, Any, int, Outcome], Change]
"""From the view, the call, its subject (see `Act`) and its outcome to what that changes."""


def absorbs(
    kind: type[UpstreamCall[Body]], absorber: Callable[[View, Any, int, OutcomeOf[Body]], Change]
) -> tuple[type, Absorber]:
    """The row of an absorber that asks for call and subject."""
    return kind, absorber


def of_subject(
    kind: type[UpstreamCall[Body]], absorber: Callable[[View, int, OutcomeOf[Body]], Change]
) -> tuple[type, Absorber]:
    """The row of an absorber that asks for the subject alone."""
    return kind, lambda view, _, subject, outcome: absorber(view, subject, outcome)


def of_call(
    kind: type[UpstreamCall[Body]], absorber: Callable[[View, Any, OutcomeOf[Body]], Change]
) -> tuple[type, Absorber]:
    """The row of an absorber that asks for the call alone."""
    return kind, lambda view, call, _, outcome: absorber(view, call, outcome)
