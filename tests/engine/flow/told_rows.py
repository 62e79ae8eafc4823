"""Detections as rows of words, to hold against those of the oracle, and as bytes."""

from __future__ import annotations

import hashlib
import math

from contracts.smart_flow import (
    DARK_EVENTS,
    DIRECTIONS,
    ELIGIBILITY_REASONS,
    HYPOTHESIS_NAMES,
    NBBO_SIDES,
    SIGNAL_REASONS,
    STATUSES,
    STRUCTURES,
)
from contracts.tape_columns import OPTION_CONDITIONS, OPTION_VENUES
from engine.flow.scoring import REASONS
from tests.engine.flow.feeds import TABLES

_WORDS = {
    "exchange": OPTION_VENUES,
    "condition": OPTION_CONDITIONS,
    "nbbo_side": NBBO_SIDES,
    "signal_reason": SIGNAL_REASONS,
    "structure_type": STRUCTURES,
    "right": "CP",
    "status": STATUSES,
    "reason_code": ELIGIBILITY_REASONS,
    "hypothesis_type": HYPOTHESIS_NAMES,
    "direction": DIRECTIONS,
    "abstention_reasons": REASONS,
    "type": DARK_EVENTS,
}
_KEYS = ("seq", "packet_seq", "cluster_seq", "seq")


def rows_of(detections):
    """Rows of every table by its name, words for codes."""
    return {
        schema.name: _rows(schema, columns)
        for schema, columns in zip(TABLES, detections, strict=True)
    }


def _rows(schema, columns):
    names = [column.name for column in schema.columns]
    values = [_values(name, columns[name].tolist()) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _values(name, codes):
    return [_WORDS[name][code] for code in codes] if name in _WORDS else codes


def differences(found, wanted):
    """Where two detections differ, as lines of text."""
    lines = []
    for schema, key in zip(TABLES, _KEYS, strict=True):
        ours, theirs = ({row[key]: row for row in one[schema.name]} for one in (found, wanted))
        if len(found[schema.name]) != len(wanted[schema.name]):
            lines.append(
                f"{schema.name}: {len(found[schema.name])}/{len(wanted[schema.name])} rows"
            )
        if schema.name == "smart_flow_hypotheses" and list(ours) != list(theirs):
            lines.append(f"{schema.name}: told in another order")
        lines += [f"{schema.name} {seq}: in one alone" for seq in sorted(set(ours) ^ set(theirs))]
        for seq in sorted(set(ours) & set(theirs)):
            lines += [
                f"{schema.name} {seq} {column.name}: {ours[seq][column.name]!r} is not "
                f"{theirs[seq][column.name]!r}"
                for column in schema.columns
                if not _same(column.kind, ours[seq][column.name], theirs[seq][column.name])
            ]
    return lines


def _same(kind, one, other):
    if kind == "float64":
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


def digest(detections):
    """Digest over the bytes of every column, its name and its type."""
    found = hashlib.sha256()
    for columns in detections:
        for name in sorted(columns):
            found.update(f"{name} {columns[name].dtype} {len(columns[name])}".encode())
            found.update(columns[name].tobytes())
    return found.hexdigest()
