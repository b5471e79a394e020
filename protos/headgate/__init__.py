"""The protocol: what every headgate process must agree on, in data and pure functions.

The `.proto` files with their generated code live in `headgate.v1`; beside them stand the job life cycle, the fold of
a job's log, the key layout and the text of the commit script. Nothing in this package does I/O.
"""
