"""The rows of the benchmark: each measures one goal side by side with what it is compared to."""
