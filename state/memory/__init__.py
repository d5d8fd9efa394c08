"""The state in memory, for simulations and tests."""
