"""Adapters to Redis. They let no exception of Redis out, and decide nothing about jobs."""
