"""The documents of a stored tape, changed in any way, are refused with pointers.

Tables and their rows are in test_tape_loader.
"""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.canonical import canonical_json
from contracts.digest import document_digest
from contracts.errors import IntegrityError
from contracts.tape_manifest import MANIFEST
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place
from tests.islandflow_resources.tape_tampering import Copy, codes, refusal, written
from tests.properties import documents


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A tape that nobody has touched."""
    root = tmp_path_factory.mktemp("sound") / "root"
    return root, written(root, density=1).manifest.tape_id


@pytest.fixture
def copy(sound, tmp_path):
    return Copy(*sound, tmp_path / "copy")


def test_every_digest_of_the_manifest_counts(copy):
    """Each is changed in turn, and the manifest sealed again as if nothing had happened."""
    original = copy.path(MANIFEST).read_bytes()

    def digests(node, path=()):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in items:
            if isinstance(child, dict | list):
                yield from digests(child, (*path, key))
            elif isinstance(child, str) and child.startswith(("blake3:", "sha256:")):
                yield (*path, key)

    manifest = copy.document(MANIFEST)
    places = [path for path in digests(manifest) if path != ("manifest_hash",)]
    assert len(places) > 40
    draw = random.Random(1)
    groups = [path for path in places if "row_groups" in path]
    # The profile itself is not stored: nothing can contradict its hash.
    rest = [path for path in places if path not in groups and "profile_hash" not in path]
    for path in (*rest, *draw.sample(groups, 5)):

        def change(document, path=path):
            for key in path[:-1]:
                document = document[key]
            document[path[-1]] = document[path[-1]][:-4] + "0bad"

        copy.edit_manifest(change)
        assert refusal(copy), path
        copy.path(MANIFEST).write_bytes(original)
    assert verify_tape(local_place(copy.tape))


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        (("replay_plan", "order_by"), ["seq", "ts", "ingest_ts", "trace_id"], "order_by"),
        (("replay_plan", "order_by"), ["ts", "ingest_ts", "seq"], "order_by"),
        (("replay_plan", "event_count"), 3, "event_count"),
        (
            ("expected_output_contract", "hidden_labels_embedded_in_market_events"),
            True,
            "embedded",
        ),
        (("run", "run_name"), "another", "manifest_hash"),
        (("seed_bundle", "seed"), "8", "manifest_hash"),
        (("colour",), "red", "colour"),
    ],
)
def test_a_changed_manifest_is_found_by_pointer(copy, path, value, pointer):
    manifest = copy.document(MANIFEST)
    node = manifest
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    copy.write_document(MANIFEST, manifest)
    error = refusal(copy)
    assert error.code == "TAPE_MANIFEST_INVALID"
    assert error.loc.startswith(f"{MANIFEST}#/")
    assert pointer in error.loc


def test_a_manifest_in_another_form_of_json_is_found(copy):
    path = copy.path(MANIFEST)
    path.write_bytes(path.read_bytes().replace(b":", b": ", 1))
    assert refusal(copy).code == "TAPE_MANIFEST_INVALID"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "flow", "impact_bps"), 9.5),
        (("spec", "universe", 0, "symbol"), "QQQQ"),
        (("seed_bundle", "seed"), "8"),
        (("generator", "version"), "2"),
        (("spec", "start_ns"), "1768401180000000000"),
        (("spec", "flow"), None),
    ],
)
def test_changed_parameters_are_found_even_if_their_hash_was_made_to_fit(copy, path, value):
    snapshot = copy.document("parameter_snapshot.json")
    node = snapshot
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    copy.write_document("parameter_snapshot.json", snapshot)
    assert "TAPE_PARAMETERS_DIFFER" in codes(refusal(copy))
    copy.forge()
    assert "TAPE_PARAMETERS_DIFFER" in codes(refusal(copy))


@pytest.mark.parametrize(
    "name", [MANIFEST, "parameter_snapshot.json", "labels.json", "expected_outputs.json"]
)
def test_whatever_a_document_says_it_is_refused_by_this_project_s_errors(sound, tmp_path, name):
    """Refused, and no other error; but for a manifest of a run of another name."""
    copy = Copy(*sound, tmp_path / "copy")
    path = copy.path(name)
    original = path.read_bytes()

    @settings(
        derandomize=True,
        database=None,
        max_examples=25,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(documents.inputs([json.loads(original)]), st.booleans())
    def refuse(data, is_sealed):
        written = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        path.write_bytes(written if name != MANIFEST or not is_sealed else resealed(written))
        if path.read_bytes() != original:
            assert outcome(copy) in ("refused", path.read_bytes())

    refuse()


def resealed(data):
    """A manifest sealed again, if there is anything to seal."""
    try:
        body = json.loads(data)
        body.pop("manifest_hash")
        return canonical_json({**body, "manifest_hash": document_digest(body)}) + b"\n"
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return data


def outcome(copy):
    """The bytes of the manifest of a sound tape, or that it is refused."""
    try:
        return verify_tape(local_place(copy.tape)).manifest.to_bytes()
    except IntegrityError:
        return "refused"
