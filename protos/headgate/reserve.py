"""Writes into a store whose memory is used up, for those that bring work to its end.

Redis refuses a script's command for want of memory only while the script has written nothing, so a script that first
takes something away may write afterwards, if only a field that is not there (tried on Redis and Valkey). What
makes new work must not do so.
"""

from __future__ import annotations

from typing import Final

PUT_SCRIPT: Final = """
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
"""
"""Sets a string for a time. KEYS: 1 string. ARGV: 1 value 2 ms."""

PUT_FIELDS_SCRIPT: Final = """
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
"""Sets fields of a hash, and how long it is kept from now on. KEYS: 1 hash. ARGV: 1 ms 2.. fields and values."""

HEARTBEAT_SCRIPT: Final = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
"""
"""Says that a worker lives, and forgets those that have not said so for long. KEYS: 1 workers. ARGV: 1 worker 2 now in
ms 3 the last time of those that are forgotten."""
