"""What is done with jobs: submit, change, retry, resolve, plan, list and explain.

Streams of them are in `watch`, and how they are kept in `store`.
"""
