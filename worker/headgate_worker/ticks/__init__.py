"""Ticks: one job is taken, decided upon, acted for and committed. What is decided stands in `core`."""
