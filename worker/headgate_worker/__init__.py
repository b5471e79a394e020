"""The worker: short ARQ ticks that look at a job, call the cloud and commit what was learnt."""
