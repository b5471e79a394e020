"""Reports: what a backfill has done, and what of the store is not as it has to be."""
