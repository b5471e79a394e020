"""Adapters to Redis: jobs, shared reads, stops on record, the clients they use, and the store's clock."""
