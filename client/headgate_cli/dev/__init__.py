"""Everything on one machine: an embedded Redis, the emulator, a server and workers as child processes."""
