"""Benchmarks: the same workloads on this project, the BEAM, trio, triotp and pykka."""
