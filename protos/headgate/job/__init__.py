"""One job as data: its life cycle, the fold of its log, and how long and large both may become. Pure."""
