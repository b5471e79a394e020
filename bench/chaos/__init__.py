"""Fault experiments: real processes, real faults, an oracle, and criteria as figures. See docs/reliability.md."""

import os

# Processes are started while gRPC clients are at work here; its fork handlers would stand in their way.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
