"""Small synthetic sessions for the tests of the market's tape, read as rows that can be compared.

Run as a module it prints the digests of `CASES`, which is how the interpreted kernels are
compared with the compiled ones, and one process with another.
"""

import datetime
import hashlib
import json
import sys
from typing import Any, NamedTuple

import numpy as np

from contracts.control import ControlLog, ControlVersion, SyntheticControlState, patched
from contracts.market import Expiry, Session
from contracts.tape import Injection, TapeSpec
from contracts.tape_columns import STREAMS
from contracts.tape_defaults import CHAIN, FLOW, PRICES, QUOTES, SURFACE, default_universe
from engine.tapes.market import kernels
from engine.tapes.market.api import MarketTape
from engine.tapes.market.events import VOCABULARIES

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
PROFILES = {one.symbol: one for one in default_universe()}
SMALL_CHAIN = CHAIN.model_copy(update={"strikes_each_side": 6, "monthlies": 2, "weeklies": 3})
DAY = datetime.timedelta(days=1)


def session(date: str, hours: float = 6.5) -> Session:
    """A session from 14:30 UTC on; every weekday of the next ten weeks expires."""
    first = datetime.date.fromisoformat(date)
    days = [first + n * DAY for n in range(70)]
    return Session(
        date=date,
        open_ns=_ns(first, 14.5),
        close_ns=_ns(first, 14.5 + hours),
        expiries=tuple(_expiry(day) for day in days if day.weekday() < 5),
    )


def _expiry(day: datetime.date) -> Expiry:
    is_friday = day.weekday() == 4
    return Expiry(
        date=day.isoformat(),
        close_ns=_ns(day, 21.0),
        is_daily=True,
        is_weekly=is_friday,
        is_monthly=is_friday and 15 <= day.day <= 21,
    )


def _ns(day: datetime.date, hour: float) -> int:
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    return int(midnight.timestamp()) * SECOND_NS + int(hour * 3600) * SECOND_NS


def log(*changes: tuple[int, dict[str, Any]]) -> ControlLog:
    """A control log: times and what is set then, each on top of the version before."""
    versions = [ControlVersion(effective_ns=0, control=SyntheticControlState())]
    for effective_ns, patch in changes:
        state = patched(versions[-1].control, patch)
        if effective_ns == 0:
            versions = []
        versions.append(ControlVersion(effective_ns=effective_ns, control=state))
    return ControlLog(versions=tuple(versions))


def market_spec(
    symbols: tuple[str, ...] = ("SPY", "NVDA", "XOM"),
    seconds: int = 600,
    start_s: int = 0,
    sessions: tuple[Session, ...] = (session("2026-01-14"),),
    control: ControlLog | None = None,
    injections: tuple[Injection, ...] = (),
    flow: dict[str, Any] | None = None,
    **changes: Any,
) -> TapeSpec:
    """A short tape of a few symbols, with many bursts and small chains."""
    start_ns = sessions[0].open_ns + start_s * SECOND_NS
    end_ns = start_ns + seconds * SECOND_NS
    few: dict[str, Any] = {"bursts_per_minute": 12.0, "spacing_s": 20.0}
    return TapeSpec(
        id="market",
        version="0.1",
        universe=tuple(PROFILES[name] for name in symbols),
        chain=changes.get("chain", SMALL_CHAIN),
        prices=PRICES.model_copy(update=changes.get("prices", {})),
        surface=SURFACE.model_copy(update=changes.get("surface", {})),
        quotes=QUOTES.model_copy(update=changes.get("quotes", {})),
        flow=FLOW.model_copy(update=few | (flow or {})),
        injections=injections,
        sessions=sessions,
        start_ns=start_ns,
        end_ns=end_ns,
        control=(control or log()).until(end_ns),
    )


class Made(NamedTuple):
    """A whole tape: columns by table, texts as they are told, not as codes."""

    spec: TapeSpec
    tables: dict[str, dict[str, np.ndarray]]

    def __getitem__(self, name: str) -> dict[str, np.ndarray]:
        return self.tables[name]

    def digest(self, *names: str) -> str:
        """Hash over every column of the named tables, or of all."""
        told = hashlib.sha256()
        for name in names or sorted(self.tables):
            for column, values in self.tables[name].items():
                told.update(f"{name}/{column}/{values.dtype}/{len(values)}".encode())
                told.update(np.ascontiguousarray(values).tobytes())
        return told.hexdigest()

    def where(self, rows: dict[str, np.ndarray]) -> "Made":
        """The named tables, each with some of its rows."""
        return Made(
            self.spec,
            {
                name: {column: values[kept] for column, values in self.tables[name].items()}
                for name, kept in rows.items()
            },
        )

    def between(self, start_ns: int, end_ns: int) -> "Made":
        """What happens in a stretch of time: events, their labels, minutes that begin in it."""
        rows = {
            name: (columns["ts_ns"] >= start_ns) & (columns["ts_ns"] < end_ns)
            for name, columns in self.tables.items()
            if "ts_ns" in columns
        }
        prints = [self[name]["seq"][rows[name]] for name in ("equity_prints", "option_prints")]
        rows["print_labels"] = np.isin(self["print_labels"]["seq"], np.concatenate(prints))
        return self.where(rows)

    def of(self, *symbols: str) -> "Made":
        """What belongs to some symbols: events, labels, bursts, reference data."""
        rows = {
            name: np.isin(self[name]["symbol"], symbols)
            for name in self.tables
            if "symbol" in self[name]
        }
        for name in ("option_nbbo", "option_prints"):
            rows[name] = np.isin(root_of(self[name]["contract"]), symbols)
        prints = [self[name]["seq"][rows[name]] for name in ("equity_prints", "option_prints")]
        rows["print_labels"] = np.isin(self["print_labels"]["seq"], np.concatenate(prints))
        return self.where(rows)


def made(tape: MarketTape, *cuts_ns: int) -> Made:
    """Make what is left of a tape, advanced to each of some times and then to its end."""
    parts = [tape.advance(ns) for ns in (*cuts_ns, tape.spec.end_ns)]
    tables = {name: joined([part.streams[name] for part in parts]) for name in (*STREAMS,)}
    tables["print_labels"] = joined([part.print_labels for part in parts])
    tables["session_states"] = joined([part.session_states for part in parts])
    names = np.array(tape.spec.symbols)
    for column in ("focus", "events"):
        listed = [places for part in parts for places in getattr(part, column)]
        texts = [" ".join(names[list(places)]) for places in listed]
        tables["session_states"][column] = np.array(texts, dtype="U200")
    tables["burst_labels"] = dict(tape.burst_labels())
    tables["option_contracts"] = dict(tape.contract_rows())
    tables["event_calendar"] = dict(tape.event_calendar())
    return Made(tape.spec, _told(tables, tape))


def joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Columns one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _told(
    tables: dict[str, dict[str, np.ndarray]], tape: MarketTape
) -> dict[str, dict[str, np.ndarray]]:
    """Texts in place of codes: those of contracts and symbols depend on what is asked for."""
    own = {
        "symbol": np.array(tape.spec.symbols, dtype="U6"),
        "contract": np.array(tape.contracts or [""], dtype="U21"),
    }
    for table, columns in tables.items():
        for column, codes in columns.items():
            texts = VOCABULARIES.get((table, column))
            words = own.get(column) if texts is None else np.array(texts)
            if words is not None:
                columns[column] = words[codes]
    return tables


def make(spec: TapeSpec, seed: int = 1, symbols: tuple[str, ...] | None = None) -> Made:
    """The whole tape of a spec, bucket by bucket as it is stored."""
    tape = MarketTape(spec, seed, symbols)
    buckets = range(spec.start_ns // (5 * MINUTE_NS) + 1, spec.end_ns // (5 * MINUTE_NS) + 1)
    return made(tape, *(bucket * 5 * MINUTE_NS for bucket in buckets))


def root_of(contracts: np.ndarray) -> np.ndarray:
    """Symbols of OCC ids."""
    return np.char.strip(contracts.astype("U6"))


def injection(
    subtype: str, symbol: str, at_s: int, usd: float = 60_000.0, *, is_decoy: bool = False
) -> Injection:
    """A burst put into the market; its id names subtype, symbol and time."""
    named = f"{subtype.replace('_', '-')}-{symbol.lower()}-{at_s}"
    return Injection(
        id=f"x{named}",
        subtype=subtype,
        symbol=symbol,
        at_s=at_s,
        notional_usd=usd,
        is_decoy=is_decoy,
    )


CASES = {
    "the open": market_spec(("IWM", "TSLA"), 3, control=log((0, {"preset_id": "event_day"}))),
    "bursts": market_spec(
        ("NVDA",),
        8,
        32,
        flow={"bursts_per_minute": 60.0},
        injections=(
            injection("box_spread", "NVDA", 31),
            injection("call_sweep", "NVDA", 32),
            injection("short_straddle_harvest", "NVDA", 33, is_decoy=True),
        ),
    ),
}
"""Tapes of a few seconds, for comparisons with the interpreted kernels."""


def digests() -> dict[str, str]:
    """Digests of every case."""
    with np.errstate(over="ignore"):  # products of 64 bits wrap, compiled code says nothing of it
        return {name: make(spec, 5).digest() for name, spec in CASES.items()}


if __name__ == "__main__":
    compiled = hasattr(kernels.run, "py_func")
    sys.stdout.write(json.dumps({"compiled": compiled, "digests": digests()}))
