"""Who may call what, and how often: callers, permissions, shares and denials.

What a request holds is checked in `requests`.
"""
