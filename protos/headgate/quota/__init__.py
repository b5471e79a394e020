"""The shared quota of a connection: its limits, who gets the next slot, and the scripts that hand slots out. Pure."""
