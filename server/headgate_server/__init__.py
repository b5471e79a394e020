"""The front door: a gRPC server that records jobs and streams what happens to them. Holds no cloud credentials."""
