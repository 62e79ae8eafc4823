"""Write every snapshot anew: ``python -m tests.snapshots``."""

from tests.snapshots.shapes import SHAPES, stored, text

for name in SHAPES:
    stored(name).write_text(text(name), "utf-8")
