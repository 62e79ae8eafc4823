"""Book signals that learn as they go, behind the extra ``ml``.

Verbs: `predictions` of a signal over a series, or bin by bin from its `Learner`; ``ML_SIGNALS``
are all of them. Declaring and listing them needs none of the libraries; making a learner does.
Signals that are formulas are the modules above; what values are worth is ``engine.signals``.
"""

from typing import Final

from engine.signals.ml.definition import Learner, MlSignal, Series, predictions
from engine.signals.ml.gbm_mf import GbmManyFeatures
from engine.signals.ml.knn_cl import KnnClassifier
from engine.signals.ml.libraries import versions
from engine.signals.ml.lsvm_der import LinearDerivatives
from engine.signals.ml.pca_ad import PcaAnomaly
from engine.signals.ml.svm_sp import SvmSpatial
from engine.signals.ml.xgb_snap import XgbSnapshot

ML_SIGNALS: Final[tuple[type[MlSignal], ...]] = (
    SvmSpatial,
    GbmManyFeatures,
    KnnClassifier,
    LinearDerivatives,
    XgbSnapshot,
    PcaAnomaly,
)

__all__ = ["ML_SIGNALS", "Learner", "MlSignal", "Series", "predictions", "versions"]
