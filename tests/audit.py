"""`make audit`: every pin of the lock files against the vulnerabilities that a registry knows of.

The registry, `AUDIT_REGISTRY` or uv's default, tells of each version which vulnerabilities are
known (``GET NAME/VERSION/json``; a mirror may tell of the newest version alone, ``NAME/json``).
What it does not tell of, or fails to, is counted and named, and not called clean. Vulnerabilities
that are accepted stand in ``deploy/accepted-vulnerabilities.txt``, an id and the reason a line.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = (
    *("requirements.lock", "deploy/requirements.lock", "deploy/requirements-ray.lock"),
    *("benchmarks/requirements.lock", "tests/mlflow.lock"),
)
ACCEPTED = ROOT / "deploy/accepted-vulnerabilities.txt"
TIMEOUT_S = 30.0
AT_ONCE = 8
UNKNOWN, CLEAN, FOUND = 3, 0, 1
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_DEFAULT_INDEX = re.compile(r"by default: <?(https://[^\s>]+?)/simple")

Pin = tuple[str, str]
Known = list[list[str]]
"""Vulnerabilities, each with all the ids it goes by."""
_NO_ANSWER = (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError)
"""A registry that is not reached or fails, or does not answer in its protocol."""


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


def known(registry: str, pin: Pin) -> Known | None:
    """Vulnerabilities of a pin, or None if the registry does not tell of this version.

    One of `_NO_ANSWER` is raised.
    """
    name, version = pin
    for path in (f"{name}/{version}", name):
        document = _asked(f"{registry}/{path}/json")
        if document is not None and document["info"]["version"] == version:
            told = [one for one in document["vulnerabilities"] if not one.get("withdrawn")]
            return sorted([one["id"], *one.get("aliases", ())] for one in told)
    return None


def report(
    registry: str, asked: Sequence[Pin], excused: Mapping[str, str]
) -> tuple[int, list[str]]:
    """What to exit with, and what to say."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda pin: _told(registry, pin), asked))
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    if answers and len(failures) == len(answers):
        return UNKNOWN, [_nothing(f"{registry} gave no vulnerability data ({failures[0]})")]
    told = {pin: one for pin, one in zip(asked, answers, strict=True) if isinstance(one, list)}
    untold = [f"{name} {version}" for name, version in asked if (name, version) not in told]
    every = [(pin, ids) for pin, found in told.items() for ids in found]
    still = [(pin, ids[0]) for pin, ids in every if excused.keys().isdisjoint(ids)]
    lines = [f"audit: {name} {version}: {one}" for (name, version), one in still]
    kept = f", {len(every) - len(still)} accepted" if len(every) > len(still) else ""
    lines.append(f"audit: {len(told)} of {len(asked)} pins checked, {len(still)} open{kept}")
    if untold:
        failed = f" ({len(failures)} times it failed, {failures[0]})" if failures else ""
        said = f"the registry tells nothing of these{failed}"
        lines.append(f"audit: NOT CHECKED, {said}: {', '.join(untold)}")
    return FOUND if still else UNKNOWN if untold else CLEAN, lines


def _told(registry: str, pin: Pin) -> Known | Exception | None:
    """`known`, or why there is no answer: the others' answers hold all the same."""
    try:
        return known(registry, pin)
    except _NO_ANSWER as error:
        return error


def _nothing(why: str) -> str:
    return f"audit: NOTHING WAS CHECKED: {why}"


def default_registry() -> str:
    """Where uv looks unless told otherwise: the sources name no host, but uv's help does."""
    uv = str(Path(sys.executable).with_name("uv"))
    said = subprocess.run(
        [uv, "help", "pip", "install"], capture_output=True, text=True, check=True
    )
    return registry_of(said.stdout)


def registry_of(uv_help: str) -> str:
    """The registry beside the index that uv's help names as its default."""
    found = _DEFAULT_INDEX.search(uv_help)
    if found is None:
        raise LookupError("uv's help names no default index: set AUDIT_REGISTRY")
    return f"{found[1]}/pypi"


def _asked(address: str) -> Any:
    """What the registry holds there, or None if it holds nothing."""
    request = urllib.request.Request(address, headers={"accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return None
            raise


def main() -> int:
    """Audit the locks; 0 clean, 1 vulnerable, 3 if some or all could not be checked."""
    try:
        registry = os.environ.get("AUDIT_REGISTRY") or default_registry()
    except (OSError, subprocess.CalledProcessError, LookupError) as error:
        sys.stdout.write(_nothing(f"no registry is known ({error})") + "\n")
        return UNKNOWN
    asked = pins((ROOT / lock).read_text("utf-8") for lock in LOCKS)
    excused = accepted(ACCEPTED.read_text("utf-8"))
    code, lines = report(registry.rstrip("/"), asked, excused)
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
