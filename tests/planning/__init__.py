"""From declarations and records to a plan, without clock, network or disk."""
