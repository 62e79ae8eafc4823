"""When things run, and the ways in: jobs, schedules, sensors and the command line.

The graph itself is ``islandflow_assets``; nothing is computed or stored here.
"""
