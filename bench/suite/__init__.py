"""The losses as a pytest-benchmark suite: `make bench`."""
