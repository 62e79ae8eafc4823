"""Keys as text and as a file: read as OpenSSL writes them, kept for their owner alone."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ConfigurationError
from islandflow_resources.signing_keys import (
    KEY_FILE,
    made_seed,
    public_of,
    seed_of,
    stored_seed,
    written,
)

NO_PASSWORD = serialization.NoEncryption()


def pem(key, password=NO_PASSWORD):
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, password).decode()


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_read_from_base64_and_from_the_file_that_another_library_writes(seed):
    assert seed_of(written(seed)) == seed == public_of(written(seed))
    assert seed_of(pem(ed25519.Ed25519PrivateKey.from_private_bytes(seed))) == seed


@given(st.text(max_size=200) | st.binary(max_size=80).map(lambda b: base64.b64encode(b).decode()))
def test_what_is_no_key_is_none(text):
    found = seed_of(text)
    assert found is None or len(found) == 32


def test_keys_of_other_kinds_and_behind_passwords_are_none():
    own = ed25519.Ed25519PrivateKey.generate()
    assert seed_of(pem(own, serialization.BestAvailableEncryption(b"secret"))) is None
    assert seed_of(pem(ec.generate_private_key(ec.SECP256R1()))) is None
    assert seed_of("A" * 1_000_000) is None


def test_a_home_makes_one_key_for_its_owner_however_many_ask_at_once(tmp_path):
    path = tmp_path / "home" / KEY_FILE
    assert stored_seed(path) is None
    with ThreadPoolExecutor(8) as pool:
        seeds = set(pool.map(lambda _: made_seed(path), range(8)))
    assert seeds == {stored_seed(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_key_that_others_may_use_is_refused(tmp_path, mode):
    path = tmp_path / KEY_FILE
    made_seed(path)
    path.chmod(mode)
    for ask in (stored_seed, made_seed):
        with pytest.raises(ConfigurationError, match="SIGNING_KEY_EXPOSED") as caught:
            ask(path)
        assert f"chmod 600 {path}" in caught.value.hints[0]


def test_a_broken_key_is_neither_used_nor_replaced(tmp_path):
    path = tmp_path / KEY_FILE
    path.write_text("c2VjcmV0")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="SIGNING_KEY_INVALID") as caught:
        made_seed(path)
    assert "c2VjcmV0" not in str(caught.value)
    assert path.read_text() == "c2VjcmV0"


def test_a_home_that_is_a_file_says_that_no_key_can_be_made(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(ConfigurationError, match=r"SIGNING_KEY_UN(READ|WRIT)ABLE"):
        made_seed(tmp_path / "home" / KEY_FILE)
