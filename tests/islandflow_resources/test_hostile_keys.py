"""Names that lead out, hide, or look like others: refused by every door of both stores.

What requests and commands may name is in tests/islandflow_jobs/serve/test_hostile_names.py.
"""

import os
import string
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.digest import Digest
from contracts.document import Slug, TapeId
from contracts.errors import ContractError
from islandflow_resources.alias_moves import Act, checked
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.object_store import MAX_KEY_BYTES, checked_key, is_own, is_readable
from islandflow_resources.s3_store import S3Store
from islandflow_resources.settings import S3Settings

OUTSIDE = (
    *("", ".", "..", "/", "a/", "/a", "//", "a//b", "./a", "a/.", "a/./b"),
    *("../a", "a/..", "a/../../b", "/etc/passwd", "scenarios/../../../etc/passwd"),
    *(".staging/a", "a/.staging/b", "a\0b", "a\nb", "a\rb", "\x1b[2Ja", "a\x7f", "\ud800"),
    *("a\u200bb", "a\u202etxt.exe", "\ufeffa", "a\u00a0\u2028b", "x" * 5_000, "é" * 600),
    # Folded to NFKC, these are "..", "/" and "." again.
    *("\uff0e\uff0e/a", "\u2025/a", "a/\u2025", "a\uff0fb", "\uff0f", "\u2024\u2024/a", "a/\u2024"),
)
"""What neither reads nor writes."""
UNWRITTEN = (
    *("a.", "a./b", "a/b.", ".a", "a/.b", "A", "a b", "a\\b", "a:b", "~/a", "$a", "a%2e%2e", "a*"),
    *(
        "ａ",
        "\u0430",
        "ſ",
        "K",
        "é",
        "e\u0301",
        "٣",
        "a\u00ad",
        "x" * 256,
        f"{'x' * 200}/" * 6 + "y",
    ),
)
"""What a person's file may be called, but nothing that is stored."""
ALPHABET = frozenset(string.ascii_lowercase + string.digits + "._=-")
SLUGS = frozenset(string.ascii_lowercase + string.digits + "_-")
ANY_TEXT = st.text(max_size=40) | st.text(alphabet="a./\u2025\uff0e\uff0f\0\n", max_size=12)
FEW = settings(max_examples=60, deadline=None)
NOWHERE = S3Store(S3Settings("http://127.0.0.1:1", "lake", "us-east-1", "key", "secret"))


def is_written(key):
    """The rule of stored keys, said once more."""
    parts = key.split("/")
    return len(key) <= MAX_KEY_BYTES and all(
        0 < len(part) <= 255 and ALPHABET.issuperset(part) and part[0] != "." and part[-1] != "."
        for part in parts
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("outside")
    (top / "passwd").write_text("root")
    return FolderStore(top / "objects")


@pytest.fixture(params=["folder", "s3"])
def store(request, folder):
    """A folder, and a bucket that cannot be reached: it must not even be asked."""
    return folder if request.param == "folder" else NOWHERE


def assert_refused(door, *arguments):
    with pytest.raises(ContractError) as caught:
        door(*arguments)
    assert caught.value.code == "KEY_INVALID"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("key", [*OUTSIDE, *UNWRITTEN])
def test_no_door_writes_such_a_key(store, key, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"data")
    assert_refused(store.put_if_absent, key, b"data")
    assert_refused(store.put_file_if_absent, key, path)
    assert_refused(store.put_exact, key, b"data")


@pytest.mark.parametrize("key", OUTSIDE)
def test_no_door_reads_or_moves_such_a_key(store, key):
    for door in (store.get, store.open, store.exists, store.uri, store.quarantine):
        assert_refused(door, key)
    assert not is_readable(key)


@pytest.mark.parametrize(
    "prefix", ["/", "/etc/", "../", "../pass", "a/../../", "a//b", "./", "a\0"]
)
def test_no_prefix_lists_what_lies_outside(store, prefix):
    assert_refused(store.keys, prefix)


@FEW
@given(ANY_TEXT)
@example("a/b=1/c.parquet")
@example("a" * 255)
def test_what_is_written_is_what_the_rule_says(key):
    assert accepted(checked_key, key) == is_own(key) == is_written(key)


@FEW
@given(ANY_TEXT)
def test_whatever_is_read_lies_inside_also_once_it_is_folded(key):
    if not is_readable(key):
        return
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        path = os.path.normpath(f"/store/{unicodedata.normalize(form, key)}")
        assert path.startswith("/store/")
        assert "\0" not in path


def accepted(check, *arguments):
    try:
        check(*arguments)
    except (ContractError, ValidationError):
        return False
    return True


@FEW
@given(ANY_TEXT | st.text(alphabet=sorted(SLUGS | {"\n", ".", "é"}), max_size=66))
@example("a\n")
@example("x" * 65)
def test_ids_of_documents_and_aliases_are_of_one_small_alphabet(text):
    is_slug = 0 < len(text) <= 64 and SLUGS.issuperset(text)
    assert accepted(TypeAdapter(Slug).validate_python, text) == is_slug
    alias = Act("event", text, "promote", "me", "because", None)
    assert accepted(checked, alias) == (is_slug and text[0] not in "_-")
    is_hex = set("0123456789abcdef").issuperset(text)
    assert accepted(TypeAdapter(TapeId).validate_python, text) == (len(text) == 16 and is_hex)
    assert not accepted(TypeAdapter(Digest).validate_python, text)
