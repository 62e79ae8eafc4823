"""The server: published signals over WebSocket, the experiment browser, backtests on request.

``app`` puts the parts together, ``server`` runs them. Sources of the pages in ``static`` are in
``frontend/``. What is streamed is ``islandflow_resources.signal_streams``; what the messages
mean, ``docs/serving-streams.md``.
"""
