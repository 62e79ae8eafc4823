"""When things run, and the ways in: jobs, schedules, sensors and the command line.

The graph itself is ``islandflow_assets``; nothing is computed or stored here.
"""

import gc

# Importing makes half a million objects, and all of them stay: looked through by the usual
# thresholds, over and over, they cost every process a sixth of its start.
gc.set_threshold(100_000)
