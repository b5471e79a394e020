"""The emulator: an HTTP server that speaks the wire protocol of the upstream clouds."""
