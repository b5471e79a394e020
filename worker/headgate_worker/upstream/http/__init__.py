"""What every adapter to a cloud shares: HTTP connections, how far a request got, and what its failure then means."""
