"""What makes a process of it: settings, several processes on one port, metrics, log format. Nothing about calls."""
