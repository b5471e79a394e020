import json
import subprocess
import sys

import headgate_client

HEAVY = ("typer", "rich", "redis", "arq", "aiohttp", "pydantic", "alibabacloud", "protovalidate", "grpc_status")

PUBLIC = {
    *("Client", "ClientOptions", "ChannelOptions", "Keepalive", "Tls", "TokenFile", "WatchOptions", "RetryPolicy"),
    *("JobChange", "JobHandle", "JobWatch", "Following", "SubmitOptions", "SubmitRequest"),
    *("WatchItem", "SnapshotItem", "EventItem", "ProgressItem", "EndItem"),
    *("HeadgateError", "Violation", "JobNotSucceeded", "JobFailed", "JobCancelled", "JobNeedsAttention"),
    *("date_range", "duration", "timestamp"),
}

MEASURE = """
import json, sys, time
began = time.perf_counter()
import grpc
grpc_seconds = time.perf_counter() - began
before = set(sys.modules)
import headgate_client
seconds = time.perf_counter() - began
print(json.dumps([grpc_seconds, seconds, sorted(set(sys.modules) - before)]))
"""


def test_the_public_names_are_these() -> None:
    assert set(headgate_client.__all__) == PUBLIC
    assert all(hasattr(headgate_client, name) for name in PUBLIC)


def test_importing_the_client_is_light() -> None:
    runs = [measured() for _ in range(3)]

    loaded = {name.split(".")[0] for name in runs[0][2]}
    assert not [name for name in loaded if name.startswith(HEAVY)]
    assert {name for name in loaded if name.startswith(("headgate", "buf"))} == {
        "headgate",
        "headgate_client",
        "buf",
    }
    assert min(all_of_it / grpc_alone for grpc_alone, all_of_it, _ in runs) < 3.5


def measured() -> tuple[float, float, list[str]]:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True, text=True)
    grpc_alone, all_of_it, modules = json.loads(done.stdout)
    return grpc_alone, all_of_it, modules
