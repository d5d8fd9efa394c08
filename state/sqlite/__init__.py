"""The state in a SQLite file, for one machine."""
