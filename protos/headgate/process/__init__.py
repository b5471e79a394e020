"""What every process reads and writes alike: the address of Redis, what is open to the network, log lines. Pure."""
