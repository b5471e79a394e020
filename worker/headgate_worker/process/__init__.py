"""What makes a process of it: settings, metrics, log format. Nothing about jobs."""
