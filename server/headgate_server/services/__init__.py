"""What callers call: one class per gRPC service. A handler checks, asks one room and answers; it decides nothing."""
