"""Pictures read back from metadata, for the tests of what is drawn."""

import base64
import re
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
_CELL = re.compile(r"M(\d+) (\d+)h1v1h-1z")


def picture(value):
    """The picture in a markdown value, parsed."""
    text = re.fullmatch(
        r"!\[(?:[^\]\\]|\\.)*\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", value.value
    )
    assert text, value.value[:200]
    root = ET.fromstring(base64.b64decode(text.group(1), validate=True).decode("utf-8"))
    assert root.tag == f"{SVG}svg"
    return root


def named(root, kind, name=None):
    """Elements of a kind, or those of them with a class."""
    found = root.iter(f"{SVG}{kind}")
    return [element for element in found if name in {None, element.get("class")}]


def points(element):
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def numbers(element, *names):
    return tuple(float(element.get(name)) for name in names)


def words(root):
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def bars(root):
    """Left edge, top edge, width and height of every bar."""
    return [numbers(bar, "x", "y", "width", "height") for bar in named(root, "rect", "bar")]


def cells(root):
    """Colour of every painted cell by its column and row, rows counted from the top."""
    painted = {}
    [group] = named(root, "g", "cells")
    for path in group:
        for column, row in _CELL.findall(path.get("d")):
            place = int(column), int(row)
            assert place not in painted
            painted[place] = path.get("fill")
        assert not _CELL.sub("", path.get("d"))
    return painted


def corners(root):
    """Every place that something is drawn at, in pixels of the picture."""
    found = [
        point
        for kind in ("polyline", "polygon")
        for shape in named(root, kind)
        for point in points(shape)
    ]
    for rect in named(root, "rect"):
        x, y = (float(rect.get(name, "0")) for name in ("x", "y"))
        width, height = numbers(rect, "width", "height")
        found += [(x, y), (x + width, y + height)]
    for circle in named(root, "circle"):
        x, y, radius = numbers(circle, "cx", "cy", "r")
        found += [(x - radius, y - radius), (x + radius, y + radius)]
    for path in named(root, "path"):
        if not _CELL.match(path.get("d")):
            found += _path_corners(path.get("d"))
    found += [corner for text in named(root, "text") for corner in _text_corners(text)]
    return found


def is_inside(root):
    """Whether everything is drawn within the picture's edges."""
    width, height = numbers(root, "width", "height")
    return all(0 <= x <= width and 0 <= y <= height for x, y in corners(root))


def _path_corners(drawn):
    x = y = 0.0
    for letter, numbers_ in re.findall(r"([MHVv])([^A-Za-z]*)", drawn):
        parts = [float(part) for part in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", numbers_)]
        match letter:
            case "M":
                x, y = parts
            case "H":
                [x] = parts
            case "V":
                [y] = parts
            case "v":
                y += parts[0]
        yield x, y


def _text_corners(text):
    """Both ends of a text, by the mean width of a letter of a common font."""
    (x, y), wide = numbers(text, "x", "y"), 6.0 * len("".join(text.itertext()))
    left = {"end": x - wide, "middle": x - wide / 2}.get(text.get("text-anchor"), x)
    return (left, y - 8), (left + wide, y)
