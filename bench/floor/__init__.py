"""The floor: what the parts below headgate can do when nothing is built on them."""
