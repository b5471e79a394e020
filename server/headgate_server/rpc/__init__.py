"""The edge: a call from its headers to its status, the port, and the services that need no rights.

Handlers of the API are in `services`, and access is decided in `auth`.
"""
