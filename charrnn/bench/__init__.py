"""Benchmarks of training, sampling, gradient flow and the page."""
