"""Benchmarks: what is compared and how the results are shown."""
