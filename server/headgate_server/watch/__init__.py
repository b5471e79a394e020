"""Jobs as streams: the hub that reads the feed, its subscriptions, and what each watcher is sent.

Streams of instances are in `instances`.
"""
