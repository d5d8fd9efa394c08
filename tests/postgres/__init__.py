"""A real PostgreSQL for the tests: servers that may be killed, and what stands between them and a client."""
