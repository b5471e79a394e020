"""Whether a request is right, whoever sends it: field rules, bounds, filters. Pure."""
