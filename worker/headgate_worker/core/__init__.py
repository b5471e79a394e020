"""The pure half of the worker: what to do next, decided from values alone. No clock, no randomness, no I/O."""
