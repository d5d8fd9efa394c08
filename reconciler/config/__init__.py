"""TOML files to desired instances: load, expand, validate."""
