"""The preview and the question before a job is ended, run again or deleted."""
