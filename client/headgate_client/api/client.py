"""The client: one connection to a deployment, and what can be asked over it."""

import asyncio
from types import TracebackType
from typing import Self

import grpc

from headgate_client.api.admin import Admin
from headgate_client.api.backfills import Backfills
from headgate_client.api.flow_instances import Flows
from headgate_client.api.jobs import Jobs
from headgate_client.api.task_instances import Tasks
from headgate_client.api.workflow_instances import WorkflowInstances
from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.options import ClientOptions, target_of_environment
from headgate_client.rpc.unary_caller import UnaryCaller


class Client:
    """A connection to a headgate deployment.

        async with Client("headgate.example:50051") as client:
            job = await client.backfills.create(spec)
            print(await job.result())

    Safe to share between the tasks of one event loop. Must be made inside a running event loop.

    Attributes:
        target: the server's address.
        jobs: find, watch and steer jobs.
        workflow_instances: create, start, stop, rerun, read and watch DataWorks workflow instances.
        backfills: plan and create backfills.
        flows: trigger, cancel, read and watch EnOS flow instances.
        tasks: read DataWorks task instances and their logs.
        admin: version, limits and quota of the deployment.
    """

    def __init__(self, target: str | None = None, *, options: ClientOptions | None = None) -> None:
        """Make a client that connects when it is first used.

        `target` is HEADGATE_TARGET if not given, else 127.0.0.1:50051; `options` are those of the environment
        if not given. Raises ValueError when a token would travel unencrypted to another machine, and OSError or
        ValueError when the file that HEADGATE_TOKEN_FILE names can't be used.
        """
        self.target = target or target_of_environment()
        self._options = options or ClientOptions.from_environment()
        self._channel = self._options.to_native(self.target)
        caller = UnaryCaller(self._options)
        self.jobs = Jobs(self._channel, caller)
        self.workflow_instances = WorkflowInstances(self._channel, caller, self.jobs)
        self.backfills = Backfills(self._channel, caller, self.jobs)
        self.flows = Flows(self._channel, caller, self.jobs)
        self.tasks = Tasks(self._channel, caller, self.jobs)
        self.admin = Admin(self._channel, caller)

    @classmethod
    async def connect(cls, target: str | None = None, *, options: ClientOptions | None = None) -> Self:
        """Make a client and wait until it is connected.

        Raises HeadgateError with UNAVAILABLE when no server answers within the `connect_timeout` of the
        options.
        """
        client = cls(target, options=options)
        try:
            async with asyncio.timeout(client._options.connect_timeout):
                await client._channel.channel_ready()
        except BaseException as error:
            await client.close()
            if isinstance(error, TimeoutError):
                raise HeadgateError(
                    grpc.StatusCode.UNAVAILABLE, message=f"no headgate server answers at {client.target}"
                ) from error
            raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls and watches under way end. Jobs are not affected."""
        await self._channel.close()
