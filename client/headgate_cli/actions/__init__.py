"""What the commands do, loaded when one is run: connect, call, show.

What can be typed is in `commands`, and how results look in `views`.
"""
