"""What can go wrong, as exceptions and as gRPC statuses. Nothing else of the server is known here."""
