"""What all tests share: how Hypothesis runs."""

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether the code is right: neither the time of one
# example nor the speed at which they are made may fail a test. How many are tried, and what of, stays as it is.
settings.register_profile("headgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("headgate")
