"""The Lua scripts that only a server runs, all of which only read; see `headgate.scripts.loader`.

They are scripts so that they read in one moment: a full Redis refuses every MULTI, even one that only reads.
"""
