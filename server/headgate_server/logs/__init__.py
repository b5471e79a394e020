"""Log lines that stay few however much happens: audit, failed and denied calls, damaged rows."""
