"""Text and JSON: pure functions of plans, records and diagnostics."""
