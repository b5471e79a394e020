"""Pure functions over a job: what is true of it now, without a decision on what to do."""
