"""Documents that are small and would become endless: refused whole, whatever reads them."""

import pytest

from contracts.canonical import MAX_DOCUMENT_BYTES, parse_document
from contracts.errors import ContractError
from contracts.yaml_text import parse_text

MOST = MAX_DOCUMENT_BYTES - 100
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "aliases of aliases": (LAUGHS, "DOCUMENT_NOT_YAML"),
    "a merge of itself": ("a: &a\n  <<: *a\n", "DOCUMENT_NOT_YAML"),
    "lists in lists": ("a: " + "[" * MOST, "DOCUMENT_TOO_DEEP"),
    "lists in lists by lines": ("- " * (MOST // 2), "DOCUMENT_TOO_DEEP"),
    "mappings in mappings": ("".join(" " * n + f"a{n}:\n" for n in range(1_200)), "TOO_DEEP"),
    "keys of keys": ("? " * (MOST // 2), "DOCUMENT_NOT_YAML"),
    "an endless number": ("a: " + "9" * MOST, "DOCUMENT_NOT_FINITE"),
    "an endless power": ("a: 1e" + "9" * 30, "DOCUMENT_NOT_FINITE"),
    "documents without end": ("---\n" * (MOST // 4), "DOCUMENT_NOT_YAML"),
    "an object of Python's": ("a: !!python/object/apply:os.system [ls]", "DOCUMENT_NOT_YAML"),
    "anchors without end": ("a: " + "&a " * (MOST // 3), "DOCUMENT_NOT_YAML"),
    "zeros": ("\0" * MOST, "DOCUMENT_NOT_YAML"),
    "too much": ("a: 1\n" + "#" * MAX_DOCUMENT_BYTES, "DOCUMENT_TOO_LARGE"),
}
JSON = {
    "lists in lists": ('{"a": ' + "[" * MOST, "DOCUMENT_TOO_DEEP"),
    "objects in objects": ('{"a": ' * (MOST // 6), "DOCUMENT_TOO_DEEP"),
    "an endless integer": ('{"a": ' + "1" * MOST + "}", "DOCUMENT_NOT_FINITE"),
    "an endless fraction": ('{"a": 0.' + "1" * MOST + "}", "DOCUMENT_NOT_FINITE"),
    "an endless power": ('{"a": 1e' + "9" * 40 + "}", "DOCUMENT_NOT_FINITE"),
    "one key again and again": ("{" + '"a":1,' * 100 + '"a":1}', "DOCUMENT_DUPLICATE_KEY"),
    "a string without end": ('{"a": "' + "\\u0041" * (MOST // 6), "DOCUMENT_NOT_JSON"),
    "too much": (" " * MAX_DOCUMENT_BYTES + "{}", "DOCUMENT_TOO_LARGE"),
}


@pytest.mark.parametrize("name", YAML)
def test_a_bomb_of_yaml_is_refused(name):
    text, code = YAML[name]
    for data in (text, text.encode()):
        with pytest.raises(ContractError) as caught:
            parse_text(data)
        assert caught.value.code.endswith(code)
        assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("name", JSON)
def test_a_bomb_of_json_is_refused(name):
    text, code = JSON[name]
    for data in (text, text.encode()):
        with pytest.raises(ContractError) as caught:
            parse_document(data)
        assert caught.value.code == code
        assert len(str(caught.value)) < 1_000
