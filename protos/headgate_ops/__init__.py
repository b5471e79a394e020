"""The HTTP port for operators, the same in servers and workers."""
