"""Results as text: tables, lines, charts and live views. Nothing here asks a server."""
