"""The rules of task instances: one call about some of them, and what becomes of each."""
