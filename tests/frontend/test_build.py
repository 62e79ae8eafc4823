"""The committed page against its sources: built from these, by pinned packages, for one host.

Building needs the packages and is `make frontend`; what the page does is in test_front_end.py.
"""

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "frontend"
BUILT = ROOT / "islandflow_jobs" / "serve" / "static"
NO_PART_OF_THE_BUNDLE = {".npmrc"}  # how packages are installed; their lock says which
AGAIN = "the page is not of these sources: run make frontend and commit what it writes"
ADDRESS = re.compile(r"(?:https?:)?//[a-z0-9][a-z0-9.-]*\.[a-z]{2,}", re.IGNORECASE)
NAMES = {"http://www.w3.org"}  # of SVG elements; nothing is fetched from there


@pytest.fixture(scope="module")
def record():
    """What the build says of itself."""
    return json.loads((BUILT / "build.json").read_text("utf-8"))


def digests(folder, without=frozenset()):
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in without]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def test_the_committed_page_was_built_from_the_committed_sources(record):
    assert record["sources"] == digests(SOURCES, NO_PART_OF_THE_BUNDLE), AGAIN


def test_the_committed_page_is_what_was_built(record):
    assert record["built"] == digests(BUILT, {"build.json"}), AGAIN


def test_every_package_is_pinned_by_its_digest_and_none_has_an_address():
    lock = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))["packages"]
    packages = {name: package for name, package in lock.items() if name}
    assert packages.keys() >= {"node_modules/apache-arrow", "node_modules/esbuild"}
    assert [name for name, package in packages.items() if "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_the_page_names_no_other_host():
    for name in ("index.html", "app.css", "app.js", "icon.svg"):
        named = set(ADDRESS.findall((BUILT / name).read_text("utf-8")))
        assert named <= NAMES, name


def test_the_licences_of_the_packages_go_with_the_page():
    text = (BUILT / "licences.txt").read_text("utf-8")
    lock = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))["packages"]
    version = lock["node_modules/apache-arrow"]["version"]
    assert f"==== apache-arrow {version} ====" in text
    assert "Apache License" in text
