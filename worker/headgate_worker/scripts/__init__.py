"""The Lua scripts that only a worker runs; see `headgate.scripts.loader`."""
