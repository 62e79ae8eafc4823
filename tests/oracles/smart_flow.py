"""The detector of smart flow as its page tells it, slow and obvious: every event is kept.

From the events of the four streams in order to rows of its tables by their columns' names, words
as words, symbols and contracts as codes. What is said of a cluster is in ``smart_flow_verdicts``.
"""

import math

from contracts.flow_features import TENOR_DAYS
from tests.oracles import smart_flow_dark, smart_flow_verdicts

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
BACK_S = 180
TRADED_SECONDS = 252 * 23_400


def detect(symbols, contracts, calendar, policy, events):
    """Tables of a detection as lists of rows.

    `contracts` are dicts of symbol, expiry_ns, strike_ticks and right by code, `calendar` dicts of
    symbol, announced_ns and event_ns, `events` dicts with their stream's name as ``stream``.
    """
    market = Market(symbols, contracts, calendar, policy)
    for event in sorted(events, key=lambda one: one["seq"]):
        market.see(event)
    market.close()
    return market.said


class Market:
    """Everything that was ever seen, and what is open."""

    def __init__(self, symbols, contracts, calendar, policy):
        self.contracts, self.calendar, self.policy = contracts, calendar, policy
        self.grouping = policy.grouping
        self.second = 0
        self.underlying = {symbol: [] for symbol in range(symbols)}
        self.nbbo = {}
        self.pending = {}
        self.open = {}
        self.ended = []
        self.begun = 0
        self.singles = {}
        self.log_premiums = {}
        self.dark = smart_flow_dark.Dark()
        self.said = {
            "flow_prints": [],
            "flow_packets": [],
            "smart_flow_hypotheses": [],
            "dark_events": self.dark.said,
        }

    def see(self, event):
        """Let time pass up to an event, and take it."""
        second = event["ts_ns"] // SECOND
        while self.second and self.second < second:
            self.second += 1
            self.pass_second()
        self.second = second
        getattr(self, f"_{event['stream']}")(event)

    def close(self):
        """Let seconds pass until nothing is open."""
        while self.pending or self.open or self.ended:
            self.second += 1
            self.pass_second()

    def pass_second(self):
        """What the start of a second brings."""
        now = self.second * SECOND
        for group, legs in sorted(self.pending.items(), key=lambda one: one[1][0]["seq"]):
            if now - legs[-1]["ts_ns"] > self.grouping.leg_gap_ms * 1e6:
                self._settle(self.pending.pop(group))
        quiet = self.grouping.quiet_s * 1e9 + self.grouping.leg_gap_ms * 1e6
        for cluster in sorted(self.open.values(), key=lambda one: one["seq"]):
            if now - cluster["orders"][-1]["ts_ns"] > quiet:
                self._end(cluster)
        for cluster in sorted(self.ended, key=lambda one: one["began"]):
            self.said["smart_flow_hypotheses"].append(
                smart_flow_verdicts.hypothesis(cluster, now, self.policy)
            )
        self.ended = []

    def _equity_quotes(self, event):
        if event["bid_ticks"] > 0 and event["ask_ticks"] > event["bid_ticks"]:
            self.underlying[event["symbol"]].append(event)

    def _equity_prints(self, event):
        quotes = self.underlying[event["symbol"]]
        self.dark.see(event, quotes[-1] if quotes else None)

    def _option_nbbo(self, event):
        self.nbbo[event["contract"]] = event

    def _option_prints(self, event):
        seen = self._in_context(event)
        contract = self.contracts[event["contract"]]
        group = (contract["symbol"], contract["expiry_ns"])
        legs = self.pending.get(group, [])
        is_leg = (
            0 < len(legs) < 4
            and legs[0]["size"] == seen["size"]
            and seen["contract"] not in [leg["contract"] for leg in legs]
            and seen["ts_ns"] - legs[-1]["ts_ns"] <= self.grouping.leg_gap_ms * 1e6
        )
        if is_leg:
            legs.append(seen)
            return
        if legs:
            self._settle(legs)
        self.pending[group] = [seen]

    def _in_context(self, event):
        """A print with the quotes in force."""
        contract = self.contracts[event["contract"]]
        seen = {**event, **{key: contract[key] for key in ("symbol", "expiry_ns", "strike_ticks")}}
        seen["right"] = contract["right"]
        quote = self.nbbo.get(event["contract"])
        seen["bid_ticks"] = quote["bid_ticks"] if quote else 0
        seen["ask_ticks"] = quote["ask_ticks"] if quote else 0
        seen["iv_ppm"] = quote["iv_ppm"] if quote else 0
        seen["quote_age_ns"] = event["ts_ns"] - quote["ts_ns"] if quote else -1
        seen["nbbo_side"] = side(seen, self.grouping.stale_ms * 1e6)
        seen["aggressor"] = aggressor(seen)
        seen["spread_bps"] = spread_bps(seen)
        self._underlying_of(seen)
        return seen

    def _underlying_of(self, seen):
        quotes = self.underlying[seen["symbol"]]
        seen["underlying_mid_ticks"] = 0.0
        seen["underlying_age_ns"] = -1
        seen["underlying_spread_bps"] = 0.0
        seen["log_move"] = 0.0
        if not quotes:
            return
        now = quotes[-1]
        seen["underlying_mid_ticks"] = mid(now)
        seen["underlying_age_ns"] = seen["ts_ns"] - now["ts_ns"]
        seen["underlying_spread_bps"] = 1e4 * (now["ask_ticks"] - now["bid_ticks"]) / mid(now)
        start = (seen["ts_ns"] // SECOND - BACK_S) * SECOND
        earlier = [quote for quote in quotes if quote["ts_ns"] < start]
        seen["log_move"] = math.log(mid(now) / mid(earlier[-1] if earlier else quotes[0]))

    def _settle(self, legs):
        """An order is complete."""
        premium = sum(premium_usd(leg) for leg in legs)
        passes = premium >= self.grouping.min_print_usd
        order = {
            "seq": legs[0]["seq"],
            "ts_ns": legs[0]["ts_ns"],
            "prints": legs,
            "premium_usd": premium,
            "structure_type": structure(legs),
        }
        cluster = packet = None
        if passes:
            cluster, packet = self._join(order)
        for leg in legs:
            self.said["flow_prints"].append(
                {
                    **{key: leg[key] for key in PRINT_KEYS},
                    "premium_usd": premium_usd(leg),
                    "signal_pass": passes,
                    "signal_reason": "keep:premium" if passes else "reject:min-premium",
                    "legs": len(legs),
                    "packet_seq": packet["seq"] if packet else 0,
                    "cluster_seq": cluster["seq"] if cluster else 0,
                }
            )

    def _join(self, order):
        """Put an order into its cluster and packet."""
        activity = self._activity(order)
        subject = frozenset(leg["contract"] for leg in order["prints"])
        cluster = self.open.get(subject)
        if cluster and (
            order["ts_ns"] - cluster["orders"][-1]["ts_ns"] > self.grouping.quiet_s * 1e9
            or order["ts_ns"] - cluster["orders"][0]["ts_ns"] > self.grouping.longest_s * 1e9
        ):
            self._end(cluster)
            cluster = None
        if cluster is None:
            cluster = {
                "seq": order["seq"],
                "began": self.begun,
                "subject": subject,
                "orders": [],
                "packets": [],
                "activity": activity,
                "event": self._next_event(order["prints"][0]),
                "tenors": self._tenors(order["prints"][0]),
            }
            self.open[subject] = cluster
            self.begun += 1
        packets = cluster["packets"]
        within = self.grouping.packet_ms * 1e6
        if not packets or order["ts_ns"] - packets[-1]["orders"][0]["ts_ns"] > within:
            if packets:
                self._close_packet(cluster, packets[-1])
            packets.append({"seq": order["seq"], "orders": []})
        packets[-1]["orders"].append(order)
        cluster["orders"].append(order)
        return cluster, packets[-1]

    def _activity(self, order):
        """Orders of the contract before this one, fading; this one is counted from now on."""
        if len(order["prints"]) > 1:
            return 0.0
        times = self.singles.setdefault(order["prints"][0]["contract"], [])
        found = sum(math.exp(-(order["ts_ns"] - then) / 1e9 / 600) for then in times)
        times.append(order["ts_ns"])
        return found

    def _next_event(self, seen):
        """Time of the next event of the symbol that is known of, or None."""
        known = [
            row["event_ns"]
            for row in self.calendar
            if row["symbol"] == seen["symbol"]
            and row["announced_ns"] <= seen["ts_ns"] < row["event_ns"]
        ]
        return min(known, default=None)

    def _tenors(self, seen):
        """Tenors in days that no quoted expiry to come is nearer to; the earlier of two as near."""
        quoted = {
            self.contracts[code]["expiry_ns"]
            for code in self.nbbo
            if self.contracts[code]["symbol"] == seen["symbol"]
        }
        expiries = {seen["expiry_ns"], *(one for one in quoted if one > seen["ts_ns"])}
        wanted = {days: seen["ts_ns"] + days * 86_400 * SECOND for days in TENOR_DAYS}
        return [
            days
            for days, then in wanted.items()
            if min(sorted(expiries), key=lambda one: abs(one - then)) == seen["expiry_ns"]
        ]

    def _end(self, cluster):
        del self.open[cluster["subject"]]
        self._close_packet(cluster, cluster["packets"][-1])
        self.ended.append(cluster)

    def _close_packet(self, cluster, packet):
        premium = math.log(sum(order["premium_usd"] for order in packet["orders"]))
        before = self.log_premiums.setdefault(first_contract(cluster), [])
        row = smart_flow_verdicts.packet(cluster, packet, premium_z(premium, before), self.policy)
        before.append(premium)
        self.said["flow_packets"].append(row)


PRINT_KEYS = (
    "symbol",
    "exchange",
    "condition",
    "seq",
    "ts_ns",
    "contract",
    "price_ticks",
    "size",
    "bid_ticks",
    "ask_ticks",
    "quote_age_ns",
    "nbbo_side",
    "aggressor",
    "iv_ppm",
    "underlying_mid_ticks",
    "underlying_age_ns",
)


def first_contract(cluster):
    """Contract of the first leg of a cluster, which its packets are told by too."""
    return cluster["orders"][0]["prints"][0]["contract"]


def mid(quote):
    """Middle of a quote, in ticks."""
    return (quote["bid_ticks"] + quote["ask_ticks"]) / 2


def premium_usd(seen):
    """Premium of a print: 10,000 ticks a dollar, 100 shares a contract."""
    return seen["price_ticks"] * seen["size"] * 100 / 10_000


def side(seen, stale_ns):
    """Where a print stands in the quote of its contract."""
    if seen["ask_ticks"] <= 0:
        return "MISSING"
    return "STALE" if seen["quote_age_ns"] > stale_ns else place(seen)


def place(seen):
    """Where a print stands, however old the quote."""
    price, bid, ask = seen["price_ticks"], seen["bid_ticks"], seen["ask_ticks"]
    if ask <= 0:
        return "MISSING"
    if price > ask:
        return "AA"
    if price == ask:
        return "A"
    if price < bid:
        return "BB"
    return "B" if price == bid else "MID"


def aggressor(seen):
    """Who wanted the trade, whatever the age of the quote."""
    if seen["ask_ticks"] <= 0:
        return 0
    if seen["price_ticks"] >= seen["ask_ticks"]:
        return 1
    return -1 if seen["price_ticks"] <= seen["bid_ticks"] else 0


def spread_bps(seen):
    """Spread over mid, None without a quote."""
    if seen["ask_ticks"] <= 0:
        return None
    return 1e4 * (seen["ask_ticks"] - seen["bid_ticks"]) / mid(seen)


def structure(legs):
    """What legs make together."""
    rights = {leg["right"] for leg in legs}
    strikes = {leg["strike_ticks"] for leg in legs}
    if len(legs) == 1:
        return "single"
    if len(legs) == 2:
        if len(rights) == 1:
            return "vertical"
        return "straddle" if len(strikes) == 1 else "strangle"
    if len(rights) == 1:
        return "ladder"
    if len(strikes) == 2:
        return "conversion" if len(legs) == 3 else "box"
    return "multi_leg"


def premium_z(log_premium, before):
    """How far a log premium is from those before it, in their weighted deviations."""
    mean = variance = 0.0
    for n, value in enumerate(before):
        kept = min(n / (n + 1), 0.96)
        off = value - mean
        mean += (1 - kept) * off
        variance = kept * (variance + (1 - kept) * off * off)
    if len(before) < 2 or variance <= 0:
        return 0.0
    return (log_premium - mean) / math.sqrt(variance)


def usual_move(iv_ppm):
    """Deviation of the log move of three minutes under a quoted volatility."""
    return max(iv_ppm / 1e6, 0.05) * math.sqrt(BACK_S / TRADED_SECONDS)
