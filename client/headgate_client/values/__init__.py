"""Python's own values and the API's: dates, times, names of jobs. Pure."""
