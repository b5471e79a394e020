"""What ticks and reads need of the world, as values and protocols. No adapter is known here."""
