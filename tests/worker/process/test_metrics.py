"""The figures of a worker, as Prometheus reads them."""

from dataclasses import dataclass, field

import pytest
from prometheus_client import generate_latest

from headgate.process.exposure import Exposure
from headgate_worker.process import metrics


@dataclass
class Lane:
    """A lane's counts."""

    jobs_complete: int
    running: list[str] = field(default_factory=list)


@dataclass
class Rounds:
    """A reaper's counts."""

    late: int
    requeued: int
    given_up: int


@dataclass
class Checks:
    """Counts of self-checks."""

    checked: int
    findings: int


def shown(exposures: frozenset[Exposure] = frozenset()) -> list[str]:
    ticks, reads = Lane(5, ["a", "b"]), Lane(7)
    found = metrics.registry(ticks, reads, Rounds(1, 2, 3), Checks(200, 4), exposures)
    return [line for line in generate_latest(found).decode().splitlines() if not line.startswith("#")]


def test_every_figure_has_its_part() -> None:
    assert shown() == [
        'headgate_worker_running{lane="ticks"} 2.0',
        'headgate_worker_running{lane="reads"} 0.0',
        'headgate_worker_entries_total{lane="ticks"} 5.0',
        'headgate_worker_entries_total{lane="reads"} 7.0',
        "headgate_worker_late_total 1.0",
        "headgate_worker_rung_total 2.0",
        "headgate_worker_given_up_total 3.0",
        "headgate_worker_self_checked_total 200.0",
        "headgate_worker_self_check_findings_total 4.0",
        'headgate_insecure{fact="plaintext-upstream"} 0.0',
        'headgate_insecure{fact="plaintext-webhook"} 0.0',
    ]


@pytest.mark.parametrize(
    ("exposures", "upstream", "webhook"),
    [
        ({Exposure.PLAINTEXT_UPSTREAM}, "1.0", "0.0"),
        ({Exposure.PLAINTEXT_WEBHOOK}, "0.0", "1.0"),
        ({Exposure.OPEN}, "0.0", "0.0"),
    ],
)
def test_only_what_a_worker_has_open_is_shown_of_it(exposures: set[Exposure], upstream: str, webhook: str) -> None:
    assert shown(frozenset(exposures))[-2:] == [
        f'headgate_insecure{{fact="plaintext-upstream"}} {upstream}',
        f'headgate_insecure{{fact="plaintext-webhook"}} {webhook}',
    ]
