"""What makes a process of the command: its start, signals, standard streams, exit codes."""
