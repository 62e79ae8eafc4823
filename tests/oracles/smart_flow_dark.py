"""Dark prints as the page of smart flow tells them, slow and obvious."""

SECOND = 1_000_000_000
WITHDRAWN = ("CANCEL", "CORRECT")


class Dark:
    """Prints off exchange that count, and what was said of them."""

    def __init__(self):
        self.prints = {}
        self.last = {}
        self.said = []

    def see(self, event, quote):
        """Take an equity print, with the quote of its symbol in force."""
        if not event["off_exchange"] or event["condition"] in WITHDRAWN or quote is None:
            return
        bid, ask, price = quote["bid_ticks"], quote["ask_ticks"], event["price_ticks"]
        wide = (ask - bid) / ((bid + ask) / 2)
        if event["ts_ns"] - quote["ts_ns"] > SECOND or wide > 0.005:
            return
        if bid < price < ask:
            self._inside(event, wide)
            return
        if event["size"] >= 200:
            self._outside(event, "stealth_accumulation" if price >= ask else "distribution")

    def _inside(self, event, wide):
        if event["size"] < 2000:
            return
        confidence = 0.35 + 0.45 * min(1, event["size"] / 4000) + 0.2 * max(0, 1 - wide / 0.005)
        self._say(event, "absorbed_block", confidence, [event])

    def _outside(self, event, kind):
        kept = self.prints.setdefault(event["symbol"], [])
        kept.append({**event, "kind": kind})
        del kept[:-64]
        within = [
            one
            for one in kept
            if one["kind"] == kind and event["ts_ns"] - one["ts_ns"] <= 60 * SECOND
        ]
        shares = sum(one["size"] for one in within)
        if len(within) < 4 or shares < 3000:
            return
        confidence = 0.3 + 0.4 * min(1, shares / 6000) + 0.3 * min(1, len(within) / 8)
        self._say(event, kind, confidence, within)

    def _say(self, event, kind, confidence, rests_on):
        key = (event["symbol"], kind)
        if key in self.last and event["ts_ns"] - self.last[key] < 30 * SECOND:
            return
        self.last[key] = event["ts_ns"]
        self.said.append(
            {
                "seq": event["seq"],
                "ts_ns": event["ts_ns"],
                "symbol": event["symbol"],
                "type": kind,
                "confidence": min(max(confidence, 0.0), 1.0),
                "prints": len(rests_on),
                "shares": sum(one["size"] for one in rests_on),
            }
        )
