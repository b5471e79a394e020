"""Plans of any size: dates are looked up part by part, and the caller is told how far that is."""
