"""The edge: a call from its headers to its status, the port, and the services for everyone.

Handlers of the API are in `services`, and who may come in is decided in `auth`.
"""
