"""Measurements that compare; each is one command: ``python -m tests.bench.NAME``."""
