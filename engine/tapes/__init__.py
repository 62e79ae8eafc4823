"""Synthetic event streams of a scenario and a seed."""
