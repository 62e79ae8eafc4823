"""What things are: documents, identities, column layouts and errors.

No I/O, no arrays, no clock, no environment. How things are computed lives in
``engine``, where they are stored in ``islandflow_resources``.
"""
