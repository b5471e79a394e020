"""A report in each of its forms. Pure: a report in, text out."""
