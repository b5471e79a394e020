"""The clouds: connections by name, the quota of each, and an adapter per kind of cloud.

What to ask of them is decided in `core`.
"""
