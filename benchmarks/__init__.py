"""What the package costs, measured beside its peers against the goals of its design: ``python -m benchmarks``."""
