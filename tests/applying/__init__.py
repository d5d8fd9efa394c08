"""From a plan to runs: submitting, following, recording."""
