"""All that differs from ARQ: claims that are leases, and how callers share the lane of reads."""
