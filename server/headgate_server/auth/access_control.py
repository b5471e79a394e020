"""Access control of every RPC where HEADGATE_CALLERS names the callers: who calls, with which right, and how often.

It decides from metadata alone, before a request is parsed. A denial costs no exception, and log lines about denials are
few. A stream is checked again with each of its messages once the file has changed or a token expires.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from headgate.reasons import Reason
from headgate.store.audit import Origin
from headgate.store.lives import Life
from headgate_ops.file_stamp import FileStamps
from headgate_server.auth import callers_file, denials, permissions, rate_limit
from headgate_server.auth.callers import Callers, Proof, token_in
from headgate_server.auth.denials import Denial
from headgate_server.auth.held_denials import HeldDenials
from headgate_server.auth.rate_limit import Bucket
from headgate_server.auth.stream_shares import StreamShares
from headgate_server.errors.exceptions import JobDamaged, Refused
from headgate_server.logs.audit_log import Audited
from headgate_server.logs.denial_log import DenialLog
from headgate_server.ports.caller import Caller, CallerLimits, Right
from headgate_server.ports.jobs import StoredJob

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often the file is looked at for changes."""

_NAMED: Final = frozenset({permissions.Scope.JOB, permissions.Scope.OPERATION})

Metadata = Iterable[tuple[str, str | bytes]]


class JobLookup(Protocol):
    """Port: knows jobs."""

    async def life(self, job_id: str) -> Life | None:
        """Which life a job id has now; None when there is no such job. It takes no longer for one than for none."""

    async def load(self, job_id: str) -> StoredJob | None:
        """A job as it stands; None when there is none."""


class MessageSink(Protocol):
    """Port: where messages of a stream go."""

    def write(self, message: bytes, /) -> Awaitable[None]:
        """Send a message."""


class AccessControl:
    """Which calls are let in, by a file that is read again when it changes. `run` must be running.

    Args:
        path: the file.
        read: reads it; raises ValueError.
        jobs: where a job's connection is looked up.
        now_ms: the store's clock.
        streams: counts open streams.
        mutual: whether clients show certificates.

    Raises:
        ValueError: the file makes no sense.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], Callers],
        jobs: JobLookup,
        now_ms: Callable[[], int],
        streams: StreamShares,
        *,
        mutual: bool,
    ) -> None:
        self._path = path
        self._read = read
        self._stamps = FileStamps(path)
        self._written = self.callers = read(path)
        self._default_connection = ""
        self.jobs = jobs
        self.now_ms = now_ms
        self._names_in = _reader_of_names() if mutual else None
        self.denial_log = DenialLog()
        self.held = HeldDenials()
        self._buckets: dict[str, Bucket] = {}
        self.streams = streams

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception:
                _log.exception("HEADGATE_CALLERS can't be looked at, the callers of before stay")
            self.denial_log.tell(time.monotonic())

    async def look(self) -> None:
        """Read the file if it has changed; a broken one changes nothing."""
        if not await self._stamps.have_changed():
            return
        try:
            self._written = await asyncio.to_thread(self._read, self._path)
        except ValueError as error:
            _log.error("HEADGATE_CALLERS has changed and can't be used, the callers of before stay: %s", error)
            return
        self.rename(self._default_connection)
        _log.info("HEADGATE_CALLERS was read again: %d tokens and certificates", len(self.callers.proofs))

    def rename(self, default_connection: str) -> None:
        """Let callers of the default connection use both of its names; the new one is empty if it has none."""
        self._default_connection = default_connection
        self.callers = self._written.also_by(default_connection)

    def guard(self, method: str) -> MethodGuard:
        """Access control for calls of one method, by its full name."""
        return MethodGuard(self, method, permissions.RULES[method])

    def of_certificate(self, context: Any) -> Proof | Reason:
        """Whose client certificate the connection of a call has shown."""
        if self._names_in is None:
            return Reason.TOKEN_MISSING
        names = self._names_in(context.auth_context() or {})
        return Reason.TOKEN_INVALID if names is None else self.callers.of_certificate(names)

    def draw(self, caller: Caller) -> float:
        """Count a call; in how many seconds its caller is to come back, 0 when it may go on."""
        rate = caller.limits.calls_per_second
        if not rate:
            return 0.0
        now = time.monotonic()
        bucket = self._buckets.get(caller.name) or rate_limit.full(rate, now)
        self._buckets[caller.name], wait = rate_limit.draw(bucket, rate, now)
        return wait

    def owe(self, caller: Caller, calls: float) -> None:
        """Count a call that was let in as several: the calls after it wait for what it owes."""
        bucket = self._buckets.get(caller.name)
        if bucket is not None:
            self._buckets[caller.name] = rate_limit.owe(bucket, calls)


class MethodGuard:
    """Access control for one method."""

    def __init__(self, access: AccessControl, method: str, rule: permissions.AccessRule) -> None:
        self._access = access
        self._method = method
        self._rule = rule

    def admit(self, metadata: Metadata, context: Any) -> Proof | Denial:
        """Let a call in, or say how it is answered."""
        proof = self._proof(metadata, context)
        if isinstance(proof, Reason):
            return self._denied(denials.unknown(proof), "", context)
        caller = proof.caller
        if wait := self._access.draw(caller):
            tenths = max(1, round(10 * min(wait, denials.MAX_SECONDS)))
            answer = denials.too_often(caller.name, caller.limits.calls_per_second, tenths)
            return self._denied(answer, caller.name, context)
        if self._rule.right not in caller.rights:
            return self._denied(denials.no_right(self._rule.right.value, self._method), caller.name, context)
        return proof

    def weigh(self, caller: Caller, request: bytes) -> None:
        """Count the request of a call that was let in by its size."""
        if len(request) >= rate_limit.CALL_BYTES:
            self._access.owe(caller, len(request) // rate_limit.CALL_BYTES)

    def weigh_read(self, caller: Caller, size: int) -> None:
        """Count what was read for a call, or is answered, by its size in bytes."""
        if size >= rate_limit.READ_CALL_BYTES:
            self._access.owe(caller, size / rate_limit.READ_CALL_BYTES)

    def weigh_watch(self, caller: Caller, instances: int) -> None:
        """Count the opening of a watch by its instances, also of one that is refused afterwards."""
        self._access.owe(caller, instances // rate_limit.CALL_INSTANCES)

    async def hold(self, seconds: float, context: Any) -> None:
        """Hold the answer to a denied call back."""
        await self._access.held.hold(seconds, context.time_remaining())

    async def hold_limited(self, caller: Caller, context: Any) -> None:
        """Hold the answer to a call back that was let in, and found its caller's share used up."""
        await self.hold(self._access.held.seconds(caller.name), context)

    def permit(self, metadata: Metadata, context: Any) -> StreamPermit | Denial:
        """Let a stream in, whose permit is to be left at its end, or say how it is answered."""
        proof = self.admit(metadata, context)
        if isinstance(proof, Denial):
            return proof
        if not self._access.streams.enter(proof.caller):
            caller = proof.caller
            return self._denied(denials.too_many(caller.name, caller.limits.max_watches), caller.name, context)
        return StreamPermit(self._access, proof, context)

    async def check(self, request: Any, caller: Caller) -> str:
        """Refuse a request of a caller of some connections that is about another one; its job's uid, if it has one.

        Raises:
            Refused: CONNECTION_DENIED, or JOB_DENIED where there is no such job, too.
            StoreUnavailable: the store can't be read.
        """
        scope = self._rule.scope
        if caller.connections is None:
            return ""
        if scope in (permissions.Scope.CONNECTION, permissions.Scope.CARRIED):
            permissions.check_connection(scope, request, caller)
        elif scope in (permissions.Scope.JOB, permissions.Scope.OPERATION):
            job_id = permissions.job_of(scope, request)
            if job_id is not None:
                return await self._check_job(job_id, caller)
        return ""

    @property
    def is_about_one_job(self) -> bool:
        """Whether all that the method answers is about the job that its request names or makes."""
        return self._rule.scope in _NAMED or self._rule.scope is permissions.Scope.CARRIED

    async def own(self, request: Any, caller: Caller, uid: str) -> tuple[bool, str]:
        """Whether the job that a request names is its caller's own, and which life of the id was asked.

        Args:
            request: the request.
            caller: who calls.
            uid: of the life that is meant; empty for whichever has the id.

        Raises:
            Refused: FIELD_INVALID.
            StoreUnavailable: the store can't be read.
        """
        job_id = permissions.job_of(self._rule.scope, request) if self._rule.scope in _NAMED else None
        try:
            stored = None if job_id is None else await self._access.jobs.load(job_id)
        except JobDamaged:
            return False, uid
        if stored is None or (uid and stored.life.uid != uid):
            return False, uid
        return stored.job.creator == caller.name, stored.life.uid

    async def _check_job(self, job_id: str, caller: Caller) -> str:
        try:
            life = await self._access.jobs.life(job_id)
        except JobDamaged:
            life = None  # its connection is not known
        if life is None or not caller.may_use(life.connection):
            raise permissions.denied_job(job_id)
        return life.uid

    def _proof(self, metadata: Metadata, context: Any) -> Proof | Reason:
        access, token = self._access, token_in(metadata)
        if token:
            return access.callers.of_token(token, access.now_ms())
        if token is not None:
            return Reason.TOKEN_INVALID
        return access.of_certificate(context)

    def _denied(self, answer: Denial, caller: str, context: Any) -> Denial:
        peer = context.peer()
        self._access.denial_log.note(answer.reason.name, caller, f"{self._method} from {peer}", time.monotonic())
        if self._rule.right is Right.WRITE:
            Audited(Origin(caller, self._method, peer)).tell(answer.code.name, answer.reason.name)
        return answer.held_back(self._access.held.seconds(caller or peer))


class StreamPermit:
    """The permit of one open stream: hands its messages on as long as its caller may have them."""

    __slots__ = ("_access", "_callers", "_proof", "_sink")

    def __init__(self, access: AccessControl, proof: Proof, sink: MessageSink) -> None:
        self._access = access
        self._proof = proof
        self._sink = sink
        self._callers = access.callers

    @property
    def caller(self) -> Caller:
        """Whose stream it is."""
        return self._proof.caller

    def write(self, message: bytes, /) -> Awaitable[None]:
        """Send a message.

        Raises:
            Refused: the caller is none any more, may do less than before, or its token has expired.
        """
        if self._access.callers is not self._callers or self._proof.expire_ms is not None:
            self._ask_again()
        return self._sink.write(message)

    def leave(self) -> None:
        """Give the stream's place back."""
        self._access.streams.leave(self._proof.caller)

    def _ask_again(self) -> None:
        callers = self._access.callers
        found = callers.of_proof(self._proof, self._access.now_ms())
        if isinstance(found, Reason):
            raise Refused(found, denials.MESSAGES.get(found, "your rights have changed: open the stream again"))
        self._callers = callers


def _reader_of_names() -> Callable[[Mapping[str, Sequence[bytes]]], tuple[str, ...] | None]:
    # Loading the library takes 8 % of a server's start, so it is loaded only where it is needed.
    from headgate_server.auth import client_certificates

    return client_certificates.names


def reader(*, mutual: bool, usual: CallerLimits) -> Callable[[Path], Callers]:
    """Reads the file with the settings' limits for entries that have none; as `callers_file.load`."""

    def read(path: Path) -> Callers:
        return callers_file.load(path, mutual=mutual, usual=usual)

    return read
