"""Our client against a mock of the API that others wrote."""
