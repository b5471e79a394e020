"""Servers as processes of their own."""

import asyncio
import re
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from tests.server.world import World

Process = asyncio.subprocess.Process


Start = Callable[..., AbstractAsyncContextManager[tuple[Process, World]]]


READY = re.compile(r"headgate server ready grpc=(127\.0\.0\.1:\d+) ops=(127\.0\.0\.1:\d+)\n")


async def spawn(environment: dict[str, str], **given: str) -> Process:
    variables = {"HEADGATE_LISTEN": "127.0.0.1:0", "HEADGATE_OPS_LISTEN": "127.0.0.1:0", **given}
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "headgate_server")
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env={**environment, **variables})
