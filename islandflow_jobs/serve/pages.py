"""The front end's files: a fixed few, by name, from the folder ``static``.

They are built from ``frontend/``. Only what lies in the folder when the server starts is served,
so that no path leads out of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}


def page_routes(folder: Path = STATIC) -> list[Route]:
    """A route for every file of the folder, and ``/`` for its page."""
    files = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
    routes = [_route(f"/{name}", path) for name, path in files.items()]
    return [*routes, *([_route("/", files[INDEX])] if INDEX in files else [])]


def _route(address: str, path: Path) -> Route:
    data, kind = path.read_bytes(), _TYPES[path.suffix]

    async def page(_: Request) -> Response:
        return Response(data, media_type=kind, headers={"cache-control": "no-cache"})

    return Route(address, page, methods=["GET"])
