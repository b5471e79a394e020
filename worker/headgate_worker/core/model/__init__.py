"""The values that decisions are made of: calls, the view of a job, steps, errors. No rule is here."""
