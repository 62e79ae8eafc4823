"""RFC 8785 written again from its text, slowly: the oracle of ``contracts.canonical``.

Numbers follow ECMA-262 Number::toString, with the shortest digits found by trying every
precision; keys are sorted by UTF-16 code units. What is not JSON is not handled.
"""

import struct
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def canonical_text(value) -> str:
    """The canonical JSON text of a value made of dict, list, str, int, float, bool and None."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical_text(child) for child in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=utf16_units)
        return "{" + ",".join(f"{quoted(key)}:{canonical_text(value[key])}" for key in keys) + "}"
    return number_text(float(value))


def quoted(text: str) -> str:
    """A JSON string: only what must be escaped is, and shortest."""
    return '"' + "".join(_character(ord(char), char) for char in text) + '"'


def _character(code: int, char: str) -> str:
    if code in _ESCAPES:
        return _ESCAPES[code]
    return f"\\u{code:04x}" if code < 0x20 else char


def utf16_units(text: str) -> list[int]:
    """The UTF-16 code units of a text, as ECMAScript compares strings."""
    data = text.encode("utf-16-be")
    return list(struct.unpack(f">{len(data) // 2}H", data))


def number_text(value: float) -> str:
    """ECMA-262 Number::toString of a finite double."""
    if value == 0:
        return "0"
    if value < 0:
        return "-" + number_text(-value)
    digits, n = shortest_digits(value)
    k = len(digits)
    if k <= n <= 21:
        return digits + "0" * (n - k)
    if 0 < n <= 21:
        return digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + digits
    exponent = f"e{'+' if n > 0 else '-'}{abs(n - 1)}"
    return digits[0] + ("." + digits[1:] if k > 1 else "") + exponent


def shortest_digits(value: float) -> tuple[str, int]:
    """Digits s and exponent n so that 0.s · 10^n is read as the value, s being shortest.

    Of two texts of one length the closer one is taken. Both neighbours must be tried: below a
    power of two the doubles lie closer than above, and the closer text may be another double.
    """
    exact = Decimal(value)
    for precision in range(1, 18):
        rounded = [
            _rounded(exact, precision, rounding) for rounding in (ROUND_FLOOR, ROUND_CEILING)
        ]
        same = [text for text in rounded if float(text) == value]
        if same:
            best = min(same, key=lambda text: abs(text - exact))
            digits = "".join(map(str, best.as_tuple().digits)).rstrip("0")
            return digits, best.adjusted() + 1
    raise AssertionError("17 significant digits identify every double")


def _rounded(exact: Decimal, precision: int, rounding: str) -> Decimal:
    return Context(prec=precision, rounding=rounding).plus(exact)
