"""Frozen scripts that make and change the tables of ``models``; applied by ``migrate``."""
