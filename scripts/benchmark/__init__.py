"""Benchmarks through the real bootstrap: one module a measurement, each a function from options to figures."""
