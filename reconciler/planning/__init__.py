"""Instances and records to a plan: refresh, diff, plan. Asks the service, changes nothing anywhere."""
