"""Who vouches for a published document: only a trusted key's signature of these very bytes."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.errors import ConfigurationError, IntegrityError
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.settings import load_settings
from islandflow_resources.signatures import (
    Keyring,
    check_signature,
    key_id,
    sign,
    signature_key,
)
from islandflow_resources.signing_keys import KEY_FILE, written
from tests.islandflow_resources.campaigning import damage

DOCUMENT = b'{"kind":"strategy"}'
ID = f"sha256:{hashlib.sha256(DOCUMENT).hexdigest()}"
OTHER_ID = "sha256:" + "0" * 64
OURS, THEIRS = Keyring(bytes(range(32))), Keyring(b"\7" * 32)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects")


def place_of(keyring=OURS, serving_id=ID):
    return signature_key(serving_id, key_id(keyring.public_key()))


def refusal(store, keyring=OURS, serving_id=ID, document=DOCUMENT):
    with pytest.raises(IntegrityError) as caught:
        check_signature(store, keyring, serving_id, document)
    assert serving_id in caught.value.message
    assert caught.value.hints
    return caught.value.code


def test_what_is_signed_is_trusted_and_signed_again_it_is_the_same_object(object_store):
    made = sign(object_store, OURS, ID, DOCUMENT)
    before = {key: object_store.get(key) for key in object_store.keys("")}
    assert sign(object_store, OURS, ID, DOCUMENT) == made
    assert {key: object_store.get(key) for key in object_store.keys("")} == before
    assert [*before] == [place_of()] == [f"serving/{ID[7:]}/signature-{made.key_id}.json"]
    assert check_signature(object_store, OURS, ID, DOCUMENT) == made


def test_a_signature_is_that_of_another_library_over_domain_and_document(store):
    made = sign(store, OURS, ID, DOCUMENT)
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    message = b"islandflow published serving spec v1\x00" + DOCUMENT
    assert made.raw == other.sign(message)
    assert made.key_id == hashlib.sha256(other.public_key().public_bytes_raw()).hexdigest()[:16]


def test_unsigned_signed_by_a_stranger_and_wrongly_signed_are_told_apart(store):
    assert refusal(store) == "SERVING_UNSIGNED"
    sign(store, THEIRS, ID, DOCUMENT)
    assert refusal(store) == "SERVING_SIGNER_UNKNOWN"
    store.put_exact(place_of(), store.get(place_of(THEIRS)))
    assert refusal(store) == "SERVING_SIGNATURE_WRONG"


def test_any_of_the_trusted_keys_suffices_and_a_retired_one_does_not(store):
    sign(store, THEIRS, ID, DOCUMENT)
    both = Keyring(bytes(range(32)), [THEIRS.public_key()])
    assert check_signature(store, both, ID, DOCUMENT).key_id == key_id(THEIRS.public_key())
    reader = Keyring(trusted=[THEIRS.public_key()])
    assert check_signature(store, reader, ID, DOCUMENT)
    assert refusal(store, Keyring()) == "SERVING_SIGNER_UNKNOWN"


def test_no_byte_of_document_or_signature_may_be_another(store):
    sign(store, OURS, ID, DOCUMENT)
    whole = store.get(place_of())
    for place in range(len(DOCUMENT)):
        other = DOCUMENT[:place] + bytes([DOCUMENT[place] ^ 1]) + DOCUMENT[place + 1 :]
        assert refusal(store, document=other) == "SERVING_SIGNATURE_WRONG"
    raw = base64.b64decode(json.loads(whole)["signature"])
    for place in range(len(raw)):
        forged = written(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        damage(store, place_of(), json.dumps(json.loads(whole) | {"signature": forged}).encode())
        assert refusal(store) == "SERVING_SIGNATURE_WRONG"


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"\xff", b"[]", b"{" * 4_000, b" " * 5_000_000, b'{"signature":1e999}'],
)
def test_what_is_no_signature_is_wrong_and_nothing_else(store, data):
    store.put_exact(place_of(), data)
    assert refusal(store) == "SERVING_SIGNATURE_WRONG"


@pytest.mark.parametrize("change", [{"serving_id": OTHER_ID}, {"key_id": "0" * 16}])
def test_a_signature_names_the_spec_and_the_key_that_it_is_of(store, change):
    sign(store, OURS, ID, DOCUMENT)
    told = json.loads(store.get(place_of()))
    damage(store, place_of(), json.dumps(told | change).encode())
    assert refusal(store) == "SERVING_SIGNATURE_WRONG"


def test_a_signature_of_another_spec_does_not_serve(store):
    sign(store, OURS, OTHER_ID, b"another")
    store.put_exact(place_of(), store.get(place_of(serving_id=OTHER_ID)))
    assert refusal(store) == "SERVING_SIGNATURE_WRONG"


def test_an_embedded_home_makes_its_key_when_it_first_signs(store, tmp_path):
    home = tmp_path / "home"
    keyring = Keyring.of(load_settings({"ISLANDFLOW_HOME": str(home)}))
    assert keyring.trusted() == {}
    assert refusal(store, keyring) == "SERVING_UNSIGNED"
    assert not home.exists()
    made = sign(store, keyring, ID, DOCUMENT)
    assert (home / KEY_FILE).exists()
    again = Keyring.of(load_settings({"ISLANDFLOW_HOME": str(home)}))
    assert check_signature(store, again, ID, DOCUMENT) == made
    secret = (home / KEY_FILE).read_text().strip()
    assert secret not in repr(again)


def test_the_services_profile_signs_with_what_it_is_given_and_nothing_else(store, tmp_path):
    services = {
        "ISLANDFLOW_HOME": str(tmp_path),
        "ISLANDFLOW_S3_ENDPOINT": "http://127.0.0.1:1",
        "ISLANDFLOW_S3_BUCKET": "lake",
        "ISLANDFLOW_S3_ACCESS_KEY": "a",
        "ISLANDFLOW_S3_SECRET_KEY": "b",
        "ISLANDFLOW_DATABASE_URL": "postgresql+psycopg://u:p@127.0.0.1/x",
    }
    with pytest.raises(ConfigurationError, match="SIGNING_KEY_MISSING"):
        Keyring.of(load_settings(services)).private_key()
    assert list(tmp_path.iterdir()) == [store.root] or list(tmp_path.iterdir()) == []
    trusting = {
        "ISLANDFLOW_SIGNING_KEY": written(bytes(range(32))),
        "ISLANDFLOW_TRUSTED_KEYS": f"{written(THEIRS.public_key())}, ",
    }
    keyring = Keyring.of(load_settings(services | trusting))
    assert keyring.public_key() == OURS.public_key()
    assert {*keyring.trusted().values()} == {OURS.public_key(), THEIRS.public_key()}


@pytest.mark.parametrize(
    ("name", "value"),
    [("SIGNING_KEY", "hunter2 hunter2"), ("TRUSTED_KEYS", "AAAA,BBBB"), ("TRUSTED_KEYS", "é")],
)
def test_a_key_that_is_none_is_refused_and_not_repeated(name, value):
    with pytest.raises(ConfigurationError, match=f"SETTING_INVALID.*ISLANDFLOW_{name}") as caught:
        load_settings({f"ISLANDFLOW_{name}": value})
    assert value not in str(caught.value)
