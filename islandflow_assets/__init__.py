"""The graph: what depends on what, as thin Dagster assets.

One module per noun in the order of the data flow. No maths, no SQL, no
try/except here: computing is ``engine``, storing is ``islandflow_resources``,
schedules, sensors and commands are ``islandflow_jobs``.
"""

import warnings

import dagster as dg

# The beta features that loading the definitions meets, in the release that is pinned: the policy is
# ours, and the owners are set by Dagster's own decorator of sensors, to none.
for _feature in ("`backfill_policy`", "`owners` of initializer `SensorDefinition"):
    warnings.filterwarnings("ignore", message=f".*{_feature}", category=dg.BetaWarning)
