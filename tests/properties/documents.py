"""Hypothesis strategies that break documents: any JSON, mutated objects, mangled texts.

They know no model: what may stand in a document is said by the valid ones they start from.
"""

import copy
import json

from hypothesis import strategies as st

TOKENS = (
    *"{}[],:\"'\\",
    *('""', "null", "true", "NaN", "-Infinity", "1e999", "-0", "01", "0x1F", "1.", "1e-400"),
    *("9" * 19, "9" * 70, "9007199254740993", "1E400", '"\\ud800"', '"\\u0000"', "\ufeff", "\x00"),
    *("é", "\U0001f600", "[" * 40, '{"a":' * 40, "]" * 40, "/*", "//", '"seed":', '"params":{}'),
)
_WORDS = ("id", "seed", "family", "trend", "params", "version", "if", "type", "range", "number", "")

numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 99, 100, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 10**63]),
    st.floats(allow_nan=False, allow_infinity=False),
)
texts = st.one_of(st.sampled_from(_WORDS), st.text(max_size=12), st.from_regex(r"\A[0-9]{1,20}\Z"))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
"""Any small JSON value without half surrogates."""


def places(node, path=()):
    """Every path of keys and indices into a document, the document itself left out."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def value_at(document, path):
    """What stands at a path."""
    for key in path:
        document = document[key]
    return document


def replaced(document, path, value):
    """A copy of the document with another value at a path."""
    changed = copy.deepcopy(document)
    value_at(changed, path[:-1])[path[-1]] = value
    return changed


def removed(document, path):
    """A copy of the document without what stands at a path."""
    changed = copy.deepcopy(document)
    del value_at(changed, path[:-1])[path[-1]]
    return changed


def near(value):
    """Values that a careless reader takes for `value`: another type, a little off, wrapped."""
    almost = [str(value), [value], {"value": value}, None, True]
    if isinstance(value, bool):
        almost += [int(value), str(value).lower()]
    elif isinstance(value, int | float):
        almost += [float(value), -value, value + 1, value * 1e6, bool(value), 0]
    elif isinstance(value, str):
        almost += [value + "\n", value.upper(), f" {value}", value[:-1], value * 40]
        almost += [int(value)] if value.isdecimal() else []
    elif isinstance(value, list):
        almost += [value * 2, value[:-1], dict(enumerate_keys(value))]
    return st.sampled_from(almost)


def enumerate_keys(items):
    """Pairs of decimal keys and items: a list that was written as an object."""
    return ((str(index), item) for index, item in enumerate(items))


@st.composite
def mutated(draw, document):
    """The document with one to three places replaced, removed, renamed or added."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        paths = list(places(changed))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        how = draw(st.sampled_from(["near", "near", "any", "remove", "rename", "add"]))
        if how == "near":
            changed = replaced(changed, path, draw(near(value_at(changed, path))))
        elif how == "any":
            changed = replaced(changed, path, draw(values))
        elif how == "remove":
            changed = removed(changed, path)
        else:
            parent = value_at(changed, path[:-1])
            if isinstance(parent, dict):
                parent[draw(texts)] = draw(values) if how == "add" else parent.pop(path[-1])
    return changed


@st.composite
def mangled(draw, text):
    """The text with one to six pieces cut out, doubled or replaced by tokens; rarely no JSON."""
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        piece = draw(st.one_of(st.sampled_from(TOKENS), st.just(text[start:end] * 2)))
        text = text[:start] + piece + text[end:]
    return text


@st.composite
def token_soup(draw):
    """Tokens in any order, opened as an object or not."""
    soup = "".join(draw(st.lists(st.sampled_from(TOKENS), max_size=30)))
    return draw(st.sampled_from(["", "{", '{"a":'])) + soup


def readable(documents):
    """Texts most of which a parser reads: mutated, mangled, any values. The rest is in `inputs`."""
    document = st.sampled_from(documents)
    changed = document.flatmap(mutated).map(json.dumps)
    text = document.flatmap(lambda one: mangled(json.dumps(one, indent=1)))
    return st.one_of(changed, changed, changed, text, values.map(json.dumps))


def inputs(documents):
    """Bytes that someone may hand in: mutated, mangled, soup, nesting, any text, any bytes."""
    document = st.sampled_from(documents)
    return st.one_of(
        document.flatmap(mutated).map(json.dumps),
        document.flatmap(mutated).map(json.dumps),
        document.flatmap(lambda one: mangled(json.dumps(one, indent=1))),
        token_soup(),
        st.tuples(st.sampled_from(['{"a":', "["]), st.integers(1, 5000)).map(lambda p: p[0] * p[1]),
        values.map(json.dumps),
        st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.binary(max_size=80),
    ).map(lambda data: data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
