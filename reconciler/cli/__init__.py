"""Commands, options, the question and exit codes. No logic."""
