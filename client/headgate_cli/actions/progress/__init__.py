"""How far something is that takes its time."""
