"""`make audit`: every pin of the lock files against a public list of known vulnerabilities.

Asks a server that speaks OSV's protocol (``AUDIT_SERVICE``) once for all pins, by name and
version. Where it is not reached, that is said and nothing is called clean. Vulnerabilities that
are accepted stand in ``deploy/accepted-vulnerabilities.txt``, an id and the reason a line.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "deploy/requirements.lock", "benchmarks/requirements.lock")
ACCEPTED = ROOT / "deploy/accepted-vulnerabilities.txt"
SERVICE = "https://api.osv.dev"
TIMEOUT_S = 30.0
BATCH = 1_000
UNKNOWN, CLEAN, FOUND = 3, 0, 1
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)

Pin = tuple[str, str]


def pins(texts: Iterable[str]) -> list[Pin]:
    """Names and versions in lock files, each once."""
    return sorted({pin for text in texts for pin in _PIN.findall(text)})


def accepted(text: str) -> dict[str, str]:
    """Ids of accepted vulnerabilities with their reasons; one without a reason is refused."""
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and line[0] != "#"]
    for parts in lines:
        if len(parts) != 2:
            raise ValueError(f"{parts[0]} is accepted without a reason")
    return {parts[0]: parts[1] for parts in lines}


def known(service: str, asked: Sequence[Pin]) -> dict[Pin, list[str]]:
    """Ids of the vulnerabilities of each pin that has some.

    Raises
    ------
    OSError
        The server is not reached, or does not answer in its protocol.
    """
    found: dict[Pin, list[str]] = {}
    for start in range(0, len(asked), BATCH):
        batch = list(asked[start : start + BATCH])
        queries = [
            {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
            for name, version in batch
        ]
        results = _posted(f"{service}/v1/querybatch", {"queries": queries})
        if not isinstance(results, list) or len(results) != len(batch):
            raise OSError("it did not answer every question")
        for pin, result in zip(batch, results, strict=True):
            ids = [vulnerability["id"] for vulnerability in result.get("vulns", ())]
            if ids:
                found[pin] = sorted(ids)
    return found


def report(service: str, asked: Sequence[Pin], excused: Mapping[str, str]) -> tuple[int, list[str]]:
    """What to exit with, and what to say."""
    try:
        found = known(service, asked)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = getattr(error, "reason", error)
        said = f"audit: NOTHING WAS CHECKED: {service} gave no vulnerability data ({reason})"
        return UNKNOWN, [said]
    lines: list[str] = []
    for (name, version), ids in found.items():
        open_ids = [one for one in ids if one not in excused]
        if open_ids:
            lines.append(f"audit: {name} {version}: {', '.join(open_ids)}")
    told = sum(one in excused for ids in found.values() for one in ids)
    kept = f", {told} accepted" if told else ""
    if lines:
        return FOUND, [*lines, f"audit: {len(lines)} of {len(asked)} pins are vulnerable{kept}"]
    return CLEAN, [f"audit: {len(asked)} pins, no open vulnerability{kept}"]


def _posted(address: str, body: object) -> object:
    sent = {"content-type": "application/json", "accept": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode(), sent)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        return json.load(answer)["results"]


def main() -> int:
    """Audit the locks of the project; 0 clean, 1 vulnerable, 3 if nothing could be checked."""
    service = os.environ.get("AUDIT_SERVICE", SERVICE).rstrip("/")
    asked = pins((ROOT / lock).read_text("utf-8") for lock in LOCKS)
    code, lines = report(service, asked, accepted(ACCEPTED.read_text("utf-8")))
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
