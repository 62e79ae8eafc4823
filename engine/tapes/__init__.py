"""Synthetic tapes: ``mbo`` order by order around a path, ``market`` of equities and options."""
