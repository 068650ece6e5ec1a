"""Make property tests the same on every run and every machine."""

from hypothesis import settings

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=50, print_blob=True
)
settings.load_profile("default")
