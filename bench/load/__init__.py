"""The load generators: a lean HTTP/2 client, and what is sent through it. They load no gRPC library."""
