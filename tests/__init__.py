"""The tests, laid out as the tree they test: tests/<package>/test_<module>.py.

Besides: oracles (slow obvious versions), properties, golden, architecture, journeys, performance.
The rules every session runs under are in conftest.py, the real servers in servers.py.
"""
