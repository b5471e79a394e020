"""What can be typed: names, flags and help. Nothing here loads the client, so that help is fast."""
