"""The gate: what the best candidate has shown against what the campaign asks of it.

One sentence for each criterion says why it is met or not. What is measured, and how, is
``engine.montecarlo``, ``engine.validate`` and ``islandflow_resources.dossiers``; the bounds are
``contracts.campaign.Gate``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.campaign import Gate
from contracts.serving import Criterion


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a candidate; None is what could not be determined, for the reason given.

    Attributes
    ----------
    trades : int
    out_of_sample, efficiency : float or None
        Means over the walk-forwards.
    deflated_sharpe : float or None
    overfitting : float or None
    candidates : int
        How many there were to choose from.
    ruin : float or None
        Mean probability of ruin.
    unconverged : int
        Monte Carlo summaries that did not reach their precision.
    probes : int
        Beginnings of datasets that were compared with the whole.
    parity_problem : str
        Where they first differed; empty if nowhere.
    latency_ms : float
        99th percentile.
    datasets : int
    checksum_problem : str
        What of them did not verify; empty if all did.
    """

    trades: int
    out_of_sample: float | None
    efficiency: float | None
    deflated_sharpe: float | None
    overfitting: float | None
    candidates: int
    ruin: float | None
    unconverged: int
    probes: int
    parity_problem: str
    latency_ms: float
    datasets: int
    checksum_problem: str


def judge(gate: Gate, evidence: Evidence) -> tuple[Criterion, ...]:
    """Judge a candidate by every criterion that the gate asks for.

    Parity with a live run and the datasets' checksums are always asked for.
    """
    return tuple(_criteria(gate, evidence))


def _criteria(gate: Gate, seen: Evidence) -> Iterator[Criterion]:
    if gate.min_trades is not None:
        yield _least(
            "trades", "number of closed trades", float(seen.trades), float(gate.min_trades)
        )
    if gate.min_out_of_sample is not None:
        what = "mean objective out of sample"
        yield _least("out_of_sample", what, seen.out_of_sample, gate.min_out_of_sample)
    if gate.min_efficiency is not None:
        what = "walk-forward efficiency"
        yield _least("efficiency", what, seen.efficiency, gate.min_efficiency)
    if gate.min_deflated_sharpe is not None:
        what = f"deflated Sharpe ratio of the best of {seen.candidates}"
        yield _least("deflated_sharpe", what, seen.deflated_sharpe, gate.min_deflated_sharpe)
    if gate.max_overfitting is not None:
        yield _overfitting(gate.max_overfitting, seen)
    if gate.max_ruin is not None:
        yield _ruin(gate.max_ruin, seen)
    yield _parity(seen)
    if gate.max_latency_ms is not None:
        yield _latency(gate.max_latency_ms, seen)
    yield _checksums(seen)


def _least(name: str, what: str, value: float | None, bound: float) -> Criterion:
    if value is None:
        said = f"the {what} is not known, at least {_number(bound)} is asked for"
        return Criterion(name=name, passed=False, sentence=said, bound=bound)
    passed = value >= bound
    verb, shown = "is" if passed else "is only", _number(value, bound)
    said = f"the {what} {verb} {shown}, at least {_number(bound)} is asked for"
    return Criterion(name=name, passed=passed, sentence=said, value=value, bound=bound)


def _overfitting(bound: float, seen: Evidence) -> Criterion:
    name = "overfitting"
    if seen.overfitting is None:
        alone = seen.candidates == 1
        said = (
            "there was one candidate, so that nothing was chosen that could be overfitted"
            if alone
            else f"the probability of overfitting is not known, at most {_number(bound)} is allowed"
        )
        return Criterion(name=name, passed=alone, sentence=said, bound=bound)
    passed, value = seen.overfitting <= bound, seen.overfitting
    shown = _number(value, bound)
    said = f"the probability of overfitting is {shown}, at most {_number(bound)} is allowed"
    return Criterion(name=name, passed=passed, sentence=said, value=value, bound=bound)


def _ruin(bound: float, seen: Evidence) -> Criterion:
    if seen.ruin is None:
        said = f"the probability of ruin is not known, at most {_number(bound)} is allowed"
        return Criterion(name="ruin", passed=False, sentence=said, bound=bound)
    passed = seen.ruin <= bound and not seen.unconverged
    shown = _number(seen.ruin, bound)
    said = f"the mean probability of ruin is {shown}, at most {_number(bound)} is allowed"
    if seen.unconverged:
        said += f", and {seen.unconverged} Monte Carlo summaries have not converged"
    return Criterion(name="ruin", passed=passed, sentence=said, value=seen.ruin, bound=bound)


def _parity(seen: Evidence) -> Criterion:
    if not seen.probes:
        said = "no beginning of a dataset was long enough to be compared with a live run"
        return Criterion(name="parity", passed=False, sentence=said)
    said = seen.parity_problem or (
        f"on {seen.probes} beginnings of datasets a live run decides as the whole did, to the bit"
    )
    return Criterion(name="parity", passed=not seen.parity_problem, sentence=said)


def _latency(bound: float, seen: Evidence) -> Criterion:
    passed = seen.latency_ms <= bound
    verb = "at most" if passed else "more than"
    said = f"a decision takes {verb} {_number(bound)} ms after a closed bar"
    return Criterion(name="latency", passed=passed, sentence=said, bound=bound)


def _checksums(seen: Evidence) -> Criterion:
    said = seen.checksum_problem or f"all {seen.datasets} datasets verify against their digests"
    return Criterion(name="checksums", passed=not seen.checksum_problem, sentence=said)


def _number(value: float, bound: float | None = None) -> str:
    """A number in few digits, or in all where few would hide on which side of a bound it lies."""
    if float(value).is_integer():
        return f"{value:.15g}"
    few = f"{value:.6g}"
    if bound is None or _side(float(few), bound) == _side(value, bound):
        return few
    return repr(float(value))


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)
