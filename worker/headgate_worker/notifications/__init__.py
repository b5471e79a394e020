"""Notifications: which events are told to which endpoints, in which form, and how often that is tried."""
