"""The graph and the public names are what was last agreed on."""

import pytest

from tests.snapshots.shapes import SHAPES, stored, text


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_changed_its_shape_unseen(name):
    hint = "if this was meant, run: python -m tests.snapshots, and commit the difference"
    assert text(name) == stored(name).read_text("utf-8"), hint
