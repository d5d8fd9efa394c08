"""Seeded schedules of faults against the product's own state machine, in virtual time: no threads, sockets or disk."""
