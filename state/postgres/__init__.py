"""The state in PostgreSQL, for a team, its CI runners and its laptops. Needs the extra ``postgres``."""
