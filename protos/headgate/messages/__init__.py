"""What messages show and how large they get: views, the feed, pages of rows, suggestions for unknown words. Pure."""
