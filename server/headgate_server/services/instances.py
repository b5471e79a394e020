"""What the services of both kinds of instances share: their parts, and the handler of every call that makes a job."""

from __future__ import annotations

from google.protobuf.message import Message

from headgate_server.instances.instance_stream import InstanceWatch
from headgate_server.jobs.submit import Submitter
from headgate_server.ports.call import Call
from headgate_server.ports.reads import UpstreamReads
from headgate_server.requests import validator


class SubmitService:
    """A service some of whose calls make jobs."""

    def __init__(self, submitter: Submitter) -> None:
        self._submitter = submitter

    async def submit(self, request: Message, call: Call) -> bytes:
        """Every call that makes a job."""
        validator.check(request)
        return (await self._submitter.submit(request, call)).body


class InstanceService(SubmitService):
    """Instances of one kind: writes become jobs, reads go to workers."""

    def __init__(self, submitter: Submitter, reading: UpstreamReads, watching: InstanceWatch) -> None:
        super().__init__(submitter)
        self._reads = reading
        self._watching = watching
