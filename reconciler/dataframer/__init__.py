"""The edge to the service: client, transport, what answers prove, and what requests may hold."""
