"""Runs the stages in order. The only place that knows them all."""
