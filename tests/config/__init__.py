"""TOML files to desired instances."""
