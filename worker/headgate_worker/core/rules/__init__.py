"""The rules that `planner` asks in turn: what to do next with a job, and what an outcome changes."""
