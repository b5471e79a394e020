"""Reads that callers asked for: a request in, an answer straight back to its server. Nothing of a job changes."""
