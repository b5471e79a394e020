"""The `headgate` command: the client at a terminal, and the launcher of the processes."""
