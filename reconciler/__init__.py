"""Dataframer generation runs as declared: plan, review, apply, again and again."""

__version__ = "0.1.0"
