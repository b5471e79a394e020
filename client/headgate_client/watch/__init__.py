"""Streams that outlive their connections: watch one job, or follow many things."""
