"""Hang up on connections that bring nothing but calls of nobody: so many that those of others would have to wait.

grpc has one queue for all connections and no way to close one of them, so a flood of calls that are refused at once
still makes everybody wait. The socket is found among the process's own by both of its addresses, and shut down; grpc
sees its end. A connection on which a known caller has ever called is left alone: behind a proxy it may be that of many.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import unquote

_log = logging.getLogger(__name__)

MOST_REFUSED: Final = 300
"""Calls of a connection that are refused between two forgettings before it is hung up on."""

FEW_REFUSED: Final = 20
"""The same for a host that was hung up on lately."""

HOST_SECONDS: Final = 60.0
"""What counts as lately."""

MOST_TOLD: Final = 5
"""Most hosts that a log line names."""

MAX_KNOWN: Final = 50_000
"""Most connections of known callers that are remembered; the ones heard of longest ago are forgotten first."""

REST: Final = 20
"""How many times longer than a search the pause after it is, at least: it takes a while among many sockets."""

OPEN_FILES: Final = "/proc/self/fd"
"""Where a process finds its open files; a system that has no such place hangs up on nobody."""

_PEER: Final = re.compile(r"ipv[46]:\[?([0-9a-fA-F.:]+)\]?:(\d+)")

_MAPPED: Final = "::ffff:"
"""How a socket for both versions of IP names an address of version 4; grpc leaves it out."""

Address = tuple[str, int]


class Hangups:
    """Decides on whom to hang up.

    Args:
        shut: hangs up on connections by the addresses of their peers.
        clock: seconds; never goes back.
        work: seconds of CPU that this thread has had; how long a search waited for the CPU does not count.
    """

    def __init__(
        self,
        shut: Callable[[Collection[Address]], None],
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.thread_time,
    ) -> None:
        self._shut = shut
        self._clock = clock
        self._work = work
        self._known: OrderedDict[str, None] = OrderedDict()
        self._refused: dict[str, int] = {}
        self._hosts: dict[str, float] = {}
        self._wanted: set[Address] = set()
        self._resting_until = 0.0
        self._count = 0

    def known(self, peer: str) -> None:
        """Take note of a call of a known caller."""
        self._known[peer] = None
        self._known.move_to_end(peer)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def refused(self, peer: str) -> None:
        """Take note of a call of nobody, and hang up on its connection if there were too many."""
        count = self._refused[peer] = self._refused.get(peer, 0) + 1
        if count in (FEW_REFUSED, MOST_REFUSED) and peer not in self._known:
            self._judge(count, address_of(peer))
        if self._wanted and self._clock() >= self._resting_until:
            self._hang_up()

    def forget(self) -> None:
        """Count refused calls from nothing again, and tell on how many connections was hung up since the last time."""
        now = self._clock()
        self._refused.clear()
        self._hosts = {host: since for host, since in self._hosts.items() if now - since < HOST_SECONDS}
        if self._count:
            hosts = ", ".join(sorted(self._hosts)[:MOST_TOLD])
            _log.warning("hung up on %d connections that brought only calls of nobody, from %s", self._count, hosts)
            self._count = 0

    def _judge(self, count: int, address: Address | None) -> None:
        if address is not None and (count == MOST_REFUSED or address[0] in self._hosts):
            self._hosts[address[0]] = self._clock()
            self._wanted.add(address)

    def _hang_up(self) -> None:
        began, wanted = self._work(), self._wanted
        self._wanted = set()
        self._shut(wanted)
        self._count += len(wanted)
        self._resting_until = self._clock() + REST * (self._work() - began)


def address_of(peer: str) -> Address | None:
    """Host and port of a peer as grpc names it, such as "ipv4:10.0.0.1:5" or "ipv6:%5B::1%5D:5"; None for others."""
    found = _PEER.fullmatch(unquote(peer))
    return (found[1], int(found[2])) if found else None


def shut(port: int, peers: Collection[Address]) -> None:
    """Shut down this process's connections from some peers to a port of its own."""
    try:
        numbers = [int(name) for name in os.listdir(OPEN_FILES)]
    except OSError:
        return
    for number in numbers:
        _shut_if(number, port, peers)


def _shut_if(number: int, port: int, peers: Collection[Address]) -> None:
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return
        # Borrowed and given back: a duplicate would keep the socket in grpc's poller after grpc has closed it.
        found = socket.socket(fileno=number)
    except OSError:
        return  # closed meanwhile
    try:
        host, peer_port = found.getpeername()[:2]
        if (host.removeprefix(_MAPPED), peer_port) in peers and found.getsockname()[1] == port:
            found.shutdown(socket.SHUT_RDWR)
    except (OSError, ValueError):
        return  # not connected, or no socket of the internet
    finally:
        found.detach()
