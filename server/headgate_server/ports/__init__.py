"""What rooms hand to each other: values, and protocols of what adapters do. No room and no adapter is known here."""
