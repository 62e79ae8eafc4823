"""The graph: what depends on what, as thin Dagster assets.

One module per noun in the order of the data flow. No maths, no SQL, no
try/except here: computing is ``engine``, storing is ``islandflow_resources``,
schedules, sensors and commands are ``islandflow_jobs``.
"""

import warnings

import dagster as dg

# The one beta feature used, and the pinned release is what its tests ran on.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
