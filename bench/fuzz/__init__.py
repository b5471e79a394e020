"""Fuzzing: requests made from the descriptors, at the bounds of their rules, and what reads foreign bytes."""
