"""Benchmarks: parity first, ratios within one run, medians; never an assertion of time.

``make bench`` runs them all and rewrites ``RESULTS.md``. Long statistical studies
are in ``studies``; correctness is in ``tests``.
"""
