"""A plan to runs: submit, follow, record. The only part that buys, cancels and writes the state."""
