"""Price paths: a scenario and a seed become bars.

Verbs: `simulate` makes bars, `audit` checks stored bars against the guards,
`version` names what enters a recipe, `domain_version`
the whole domain. One module per family; the documents live
in ``contracts.scenario``, storage in ``islandflow_resources.tables``.
"""

from engine.paths.api import Bars, audit, domain_version, simulate, version

__all__ = ["Bars", "audit", "domain_version", "simulate", "version"]
