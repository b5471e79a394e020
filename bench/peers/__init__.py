"""Peers that do part of the job, each in an environment of its own: they need different versions of one client."""
