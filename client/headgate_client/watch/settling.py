"""Whether a job waits for a person now, where its history only says that it did.

Pure: fed with what a watch yields and with the job as it stands.
"""

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_client.watch.items import EventItem, SnapshotItem, WatchItem

SETTLED = JOB_TERMINAL | {pb.JOB_STATE_NEEDS_ATTENTION}
"""States in which a job does not go on by itself."""


class Settling:
    """Whether a watch has come to where the job stands still.

    The end of a job ends its stream, which shows whether the end is the present one. A need of a person
    does not: the stream stays open, and events may follow that are not there yet or only on their way.
    """

    def __init__(self) -> None:
        self._state: pb.JobState.ValueType | None = None
        self._revision = 0
        self._newest = 0

    def saw(self, item: WatchItem) -> None:
        """Take in what was yielded last."""
        self._revision = item.revision
        match item:
            case EventItem(event=event):
                self._state = event.state
            case SnapshotItem(job=job, reset=reset):
                self._state = job.state
                self._newest = 0 if reset else self._newest  # revisions of a lost history say nothing of this one

    @property
    def is_in_doubt(self) -> bool:
        """Whether the job has to be read, to know: it needs a person by what was seen, or nothing was seen yet."""
        return self._state in (None, pb.JOB_STATE_NEEDS_ATTENTION) and self._revision >= self._newest

    def is_reached(self, job: pb.Job) -> bool:
        """Whether the job, as it was just read, stands still and everything that led there was yielded."""
        self._newest = max(self._newest, job.revision)
        return job.state in SETTLED and job.revision <= self._revision
