"""Faults on purpose: each module is a command of its own (``python -m tests.campaign.NAME``)."""
