"""Files of runs: from the service into folders, whole or not at all."""
