"""Whether a request is valid, for any caller: field rules, bounds, filters. Pure."""
