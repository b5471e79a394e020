"""The Python client of headgate."""
