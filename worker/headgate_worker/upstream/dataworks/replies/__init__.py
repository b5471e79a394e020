"""From replies of any shape to what a call brings. Pure."""
