"""Results as text: tables, lines, charts and pictures that move. Nothing here asks a server."""
