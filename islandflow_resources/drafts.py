"""A spec that could be published, of whatever kind, and its way into the store.

What a strategy's spec says is made by ``published``, a signal's by ``published_signals``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from contracts.canonical import canonical_json
from contracts.columns import EVIDENCE, TableSchema
from contracts.digest import bare
from contracts.serving import PublishedServingSpec, PublishedSignal
from contracts.signal_columns import SIGNAL_EVIDENCE
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.signatures import Keyring, sign
from islandflow_resources.tables import read_verified, store_table


@dataclass(frozen=True, slots=True)
class Draft:
    """A spec that could be published, with the trials that it must reproduce."""

    spec: PublishedServingSpec
    evidence: pa.Table

    @property
    def serving_id(self) -> str:
        """Identity of the spec."""
        return self.spec.serving_id

    @property
    def key(self) -> str:
        """Key of the spec's document."""
        return spec_key(self.serving_id)


def spec_key(serving_id: str) -> str:
    """Key of a published spec."""
    return f"serving/{bare(serving_id)}/spec.json"


def publish(store: ObjectStore, keyring: Keyring, made: Draft) -> None:
    """Store evidence, signature and, last, the spec; equal objects are adopted.

    Raises
    ------
    ConfigurationError
        ``SIGNING_KEY_…``, before anything is stored.
    """
    keyring.private_key()
    store_table(store, made.spec.evidence.object_key, made.evidence, evidence_layout(made.spec))
    document = canonical_json(made.spec.document())
    sign(store, keyring, made.serving_id, document)
    store.put_exact(made.key, document + b"\n")


def read_evidence(store: ObjectStore, spec: PublishedServingSpec) -> pa.Table:
    """The trials that a spec must reproduce, verified."""
    told = spec.evidence
    return read_verified(store, told.object_key, evidence_layout(spec), told.content_digest)


def evidence_layout(spec: PublishedServingSpec) -> TableSchema:
    """Columns of the evidence of a kind of spec."""
    return SIGNAL_EVIDENCE if isinstance(spec, PublishedSignal) else EVIDENCE
