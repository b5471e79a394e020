"""What the feed shows of events: byte for byte without payloads, beside the digest of the whole event."""

from headgate import pb
from headgate.job import event_log
from headgate.messages import feed_view

PLAIN = pb.JobEvent(revision=3, type=pb.EVENT_TYPE_WARNING, message="x")


def accepted() -> pb.JobEvent:
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED)
    event.job.name = "jobs/orders"
    event.job.backfill.task_parameters = "secret"
    return event


def test_events_without_payloads_are_shown_as_they_are() -> None:
    assert feed_view.shown(2, [PLAIN.SerializeToString()]) == ()


def test_an_event_with_payloads_is_shown_without_them_beside_its_digest() -> None:
    body = accepted().SerializeToString()

    (first,) = feed_view.shown(0, [body])

    assert first[:16].decode() == event_log.incarnation(body)
    shown = pb.JobEvent.FromString(first[16:])
    assert (shown.revision, shown.job.name, shown.job.backfill.task_parameters) == (1, "jobs/orders", "")
    assert feed_view.shown_first(accepted(), body) == (first,)


def test_among_several_those_without_payloads_are_left_out() -> None:
    warning = pb.JobEvent(revision=2, type=pb.EVENT_TYPE_WARNING).SerializeToString()

    found = feed_view.shown(0, [accepted().SerializeToString(), warning])

    assert len(found) == 2 and found[0] and found[1] == b""
