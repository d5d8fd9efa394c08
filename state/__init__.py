"""The recorded side: a durable store of instances, attempts and events. Knows nothing of its callers."""
