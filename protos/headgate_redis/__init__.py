"""How a process talks to Redis, the same for servers and workers (ADR 0013). It does I/O and decides nothing."""
