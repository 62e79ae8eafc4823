"""Book signals: values from the rows of a grid, and what entries at thresholds are worth.

``definition`` and ``registry`` say what a signal is and which there are, ``api`` computes values,
``evaluate`` trades them. Grids are ``engine.grid``; choosing among candidates, ``engine.campaign``.
"""
