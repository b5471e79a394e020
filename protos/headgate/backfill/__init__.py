"""Business dates of a backfill: sets of them, names of their instances, which are left alone or retried. Pure."""
