"""Upstream instances: reads that workers do, and streams of rows that are kept recent. No job is read or changed."""
