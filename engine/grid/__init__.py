"""Pressure and vacuum around the best prices: one dense grid a bin."""
