"""What servers and workers are to operators alike: the HTTP port for them, and how a process is run."""
