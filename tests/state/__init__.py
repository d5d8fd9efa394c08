"""The stores: one contract suite for all, and what SQLite adds to it."""
