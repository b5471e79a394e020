"""Reports: what a backfill has done, by its log and by what upstream says now."""
