"""The protocol: what every headgate process must agree on, in data and pure functions.

The `.proto` files with their generated code live in `headgate.v1`, and `pb` has all of it under one name. The rooms
beside them hold what is decided and kept by it; `reasons` are those of errors. Nothing in this package does I/O.
"""
