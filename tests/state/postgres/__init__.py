"""What only a state in PostgreSQL has: sessions, roles, migrations, servers that fail."""
