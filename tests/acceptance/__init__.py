"""The command line from outside, by its contract alone: real processes against a service on loopback."""
