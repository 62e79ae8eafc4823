"""The project's files as the rules see them: which there are, and what a syntax tree says.

What is forbidden in them is in rules.py.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "engine", "islandflow_resources", "islandflow_assets", "islandflow_jobs")
# What tools and runs write into the checkout. All of it is ignored by git, by a test.
GENERATED = (
    ".venv",
    "__pycache__",
    ".pytest_cache",
    ".ruff_cache",
    ".import_linter_cache",
    ".hypothesis",
    ".islandflow",
    "build",
    "dist",
    "screenshots",
)
_NEVER_ENTERED = {*GENERATED, ".git"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
PublicNode = FunctionNode | ast.ClassDef


def project_files(root: Path = ROOT) -> Iterator[Path]:
    """Every file of the project below `root`, sorted, without what tools generate."""
    for path in sorted(root.iterdir()):
        if path.name in _NEVER_ENTERED or path.name.startswith(".tmp_dagster_home_"):
            continue
        if path.suffix in {".egg-info", ".log"} or path.name == ".env":
            continue
        if path.is_dir():
            yield from project_files(path)
        else:
            yield path


def python_files(*folders: str) -> list[Path]:
    """Every Python file of the top-level `folders`, sorted."""
    present = [ROOT / folder for folder in folders if (ROOT / folder).is_dir()]
    return [path for folder in present for path in project_files(folder) if path.suffix == ".py"]


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of the file at `path`."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def public_definitions(tree: ast.Module) -> Iterator[tuple[str, PublicNode]]:
    """Public functions and classes of a module and public methods of those, by name."""
    yield from _public_in(tree.body, "")


def _public_in(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, PublicNode]]:
    for node in body:
        if not isinstance(node, PublicNode) or node.name.startswith("_"):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _public_in(node.body, f"{node.name}.")


def inherits_description(tree: ast.Module, name: str) -> bool:
    """Whether the method called `name` (``Class.method``) is described by a base of its class."""
    class_name, _, method = name.rpartition(".")
    return any(
        isinstance(item, FunctionNode) and item.name == method and ast.get_docstring(item)
        for base in _bases(tree, class_name)
        for item in base.body
    )


def _bases(tree: ast.Module, class_name: str) -> Iterator[ast.ClassDef]:
    """The bases of a class as far as the project defines them, nearest first."""
    own = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    names = imported_names(tree)
    for base in own[class_name].bases if class_name in own else ():
        dotted = _dotted(base)
        module, _, imported = names.get(dotted, "").rpartition(".")
        path = ROOT / f"{module.replace('.', '/')}.py"
        home, name = (tree, dotted) if dotted in own else (None, imported)
        if home is None and module and path.is_file():
            home = tree_of(path)
        if home is not None:
            yield from (c for c in home.body if isinstance(c, ast.ClassDef) and c.name == name)
            yield from _bases(home, name)


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: ``np`` -> ``numpy``, ``clock`` -> ``time.time``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


@functools.cache
def uses(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and full dotted name of every import and of every use of a name."""
    return list(_uses(tree))


def _uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    names = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Attribute | ast.Name):
            dotted = _dotted(node)
            head, _, rest = dotted.partition(".")
            if head:
                yield node.lineno, ".".join(filter(None, (names.get(head, head), rest)))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if not isinstance(node, ast.Attribute):
        return ""
    parent = _dotted(node.value)
    return f"{parent}.{node.attr}" if parent else ""


def place(path: Path, line: int = 0) -> str:
    """`path` below the root, with a line where there is one: what an offence is reported by."""
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{shown}:{line}" if line else str(shown)
