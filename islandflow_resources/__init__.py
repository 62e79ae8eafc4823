"""Where things live: the only package that touches disk, network or environment.

What is stored is described in ``contracts``, how it is computed in ``engine``,
when and in which order in ``islandflow_assets`` and ``islandflow_jobs``.
"""
