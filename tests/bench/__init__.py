"""Measurements that compare: ``python -m tests.bench`` of speed; others as ``python -m tests.bench.NAME``."""
