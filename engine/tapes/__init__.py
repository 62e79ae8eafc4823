"""Synthetic tapes: ``mbo`` order by order around a scenario's path, ``market`` of equities and options."""
