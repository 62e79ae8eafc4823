"""Which signals there are, by name.

A new one is a file with its class, and its line here.
"""

from __future__ import annotations

from typing import Final

from contracts.errors import ContractError
from engine.signals.ads import Ads
from engine.signals.ads_pfp_svac import AdsPfpSvac
from engine.signals.definition import Definition
from engine.signals.derivative import Derivative
from engine.signals.erd import Erd
from engine.signals.iirc import Iirc
from engine.signals.jad import Jad
from engine.signals.ml.definition import MlSignal
from engine.signals.ml.gbm_mf import GbmManyFeatures
from engine.signals.ml.knn_cl import KnnClassifier
from engine.signals.ml.lsvm_der import LinearDerivatives
from engine.signals.ml.pca_ad import PcaAnomaly
from engine.signals.ml.svm_sp import SvmSpatial
from engine.signals.ml.xgb_snap import XgbSnapshot
from engine.signals.msd import Msd
from engine.signals.pfp import Pfp
from engine.signals.spg import Spg
from engine.signals.statistical import Statistical

STATISTICAL: Final[dict[str, type[Statistical]]] = {
    one.name: one for one in (Derivative, Ads, Pfp, Spg, Erd, Jad, Iirc, Msd, AdsPfpSvac)
}
LEARNT: Final[dict[str, type[MlSignal]]] = {
    one.name: one
    for one in (
        SvmSpatial, GbmManyFeatures, KnnClassifier, LinearDerivatives, XgbSnapshot, PcaAnomaly,
    )
}  # fmt: skip
"""Their learners need the extra ``ml``."""
SIGNALS: Final[dict[str, type[Definition]]] = {**STATISTICAL, **LEARNT}


def signal(name: str) -> type[Definition]:
    """The signal of a name.

    Raises
    ------
    ContractError
        ``SIGNAL_UNKNOWN``.
    """
    if name in SIGNALS:
        return SIGNALS[name]
    raise ContractError(
        "SIGNAL_UNKNOWN",
        f"there is no signal {name!r}",
        name,
        (f"there are {', '.join(sorted(SIGNALS))}",),
    )
