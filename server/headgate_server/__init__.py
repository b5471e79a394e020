"""The gRPC server: it records jobs and streams their events, and holds no cloud credentials."""
