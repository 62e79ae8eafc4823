"""The server of published signals, driven over real sockets, and its parts one by one.

What is published in these tests is made by published.py, the server run by served.py.
"""
