"""A steady load on real processes, watched for what only grows. See docs/reliability.md."""

import os

# Processes are started while gRPC clients are at work here; its fork handlers would stand in their way.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
