"""A stand-in for DataWorks that costs next to nothing, and clients of it: what is measured is the caller."""
