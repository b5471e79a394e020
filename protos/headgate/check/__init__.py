"""Whether what is kept in Redis is what it has to be: pure comparisons, to which adapters give the reads."""
