"""A chaos run against a real API server: ``python -m tests.chaos --minutes 3``."""
