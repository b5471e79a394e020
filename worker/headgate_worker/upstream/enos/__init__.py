"""The adapter to EnOS Batch Data Processing, v2.0 (Dataflow Service) and v2.1.

`client.Enos` is what a worker uses, `settings.EnosSettings` endpoint and credentials. Everything that decides
something (requests, replies, statuses, signatures, errors) is pure; only tokens and the client do I/O. No file outside
this folder knows EnOS' status numbers.
"""
