"""Business messages in the two languages that upstream answers in.

Only the English line about parallelism and both lines about a missing instance are known (seed 000, public
sample); the others are ours, so clients must not read meaning into their words.
"""

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

_TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "blocked": "Because of parallelism config, wait for parent workflowInstance[{id}] to finish",
        "absent": "The instance does not exist.",
        "not_startable": "workflowInstance[{id}] cannot be started, its status is {status}",
        "not_stoppable": "workflowInstance[{id}] cannot be stopped, its status is {status}",
        "wrong_status": "taskInstance[{id}] does not allow this, its status is {status}",
    },
    "zh": {
        "blocked": "由于并行度配置，请等待父实例workflowInstance[{id}]运行结束",
        "absent": "该实例不存在。",
        "not_startable": "workflowInstance[{id}]无法启动，当前状态为{status}",
        "not_stoppable": "workflowInstance[{id}]无法停止，当前状态为{status}",
        "wrong_status": "taskInstance[{id}]不允许该操作，当前状态为{status}",
    },
}


def blocked(language: Language, parent: int) -> str:
    """A start has to wait for `parent`."""
    return _TEXTS[language]["blocked"].format(id=parent)


def absent(language: Language) -> str:
    """There is no such instance."""
    return _TEXTS[language]["absent"]


def not_startable(language: Language, instance: int, status: str) -> str:
    """The instance has begun or ended."""
    return _TEXTS[language]["not_startable"].format(id=instance, status=status)


def not_stoppable(language: Language, instance: int, status: str) -> str:
    """The instance has ended."""
    return _TEXTS[language]["not_stoppable"].format(id=instance, status=status)


def wrong_status(language: Language, task_instance: int, status: str) -> str:
    """The task instance's status does not allow what is asked."""
    return _TEXTS[language]["wrong_status"].format(id=task_instance, status=status)
