"""What is told and asked before a job is ended, run again or deleted."""
