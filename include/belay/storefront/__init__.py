"""A simulated shop and recorded experiments: the default world of the demo, the tests and the benchmarks."""
