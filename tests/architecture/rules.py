"""The rules, each a function from a file to the offences in it.

Which files a rule holds for is said by the tests; the package layers are in pyproject.toml.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.architecture.sources import (
    FunctionNode,
    inherits_description,
    place,
    public_definitions,
    tree_of,
    uses,
)

MAX_LINES = 400
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "misc"})

# Randomness comes from a key path, time from the spec, code from files.
IMPURE = (
    "random",
    "secrets",
    "numpy.random",
    "os.urandom",
    "uuid.uuid1",
    "uuid.uuid4",
    "time.time",
    "time.time_ns",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "eval",
    "exec",
    "pickle",
    "marshal",
    "shelve",
)
# What runs text or bytes as code, or hands text to a shell.
UNSAFE = (
    "pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "tempfile.mktemp",
    "numpy.load",
)
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.putenv", "dagster.EnvVar", "dotenv")

# Assembled, so that this file does not say what it forbids.
_MACHINE_FOLDERS = "|".join(("work", "root", "home", "farm", "tmp"))
_REGISTRIES = ("pypi org", "files pythonhosted org", "registry npmjs org", "deb debian org")
_MACHINE_PATH = re.compile(rf"(?<![\w.~$}}*)/-])/(?:{_MACHINE_FOLDERS})/[A-Za-z]".encode())
_REGISTRY = re.compile("|".join(host.replace(" ", r"\.") for host in _REGISTRIES).encode())

_CHECKING_CALL = re.compile(r"(^|\.)_?(assert|check|expect|verify)_\w+$|(^|\.)(raises|warns|fail)$")


def forbidden_uses(path: Path, forbidden: Iterable[str]) -> Iterator[str]:
    """Every use of a `forbidden` dotted name, or of anything inside it."""
    found = {
        (line, name)
        for line, used in uses(tree_of(path))
        for name in forbidden
        if used == name or used.startswith(f"{name}.")
    }
    for line, name in sorted(found):
        yield f"{place(path, line)}: {name}"


def shells(path: Path) -> Iterator[str]:
    """Every call that may hand its text to a shell."""
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call):
            continue
        for argument in node.keywords:
            off = isinstance(argument.value, ast.Constant) and argument.value.value is False
            if argument.arg in {"shell", "allow_pickle"} and not off:
                yield f"{place(path, node.lineno)}: {argument.arg}"


def too_long(path: Path) -> Iterator[str]:
    """The file, when it has more than ``MAX_LINES`` lines."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > MAX_LINES:
        yield f"{place(path)}: {lines} lines"


def vague_name(path: Path) -> Iterator[str]:
    """The file, when it or a folder it lies in is named after no thing."""
    vague = VAGUE_NAMES.intersection(Path(place(path)).with_suffix("").parts)
    yield from (f"{place(path)}: {name}" for name in sorted(vague))


def undescribed_module(path: Path) -> Iterator[str]:
    """The file, when it holds something and does not open with a docstring."""
    tree = tree_of(path)
    if tree.body and not ast.get_docstring(tree):
        yield place(path)


def undescribed_definitions(path: Path) -> Iterator[str]:
    """Every public function, class and method with no docstring, of its own or of a base."""
    tree = tree_of(path)
    for name, node in public_definitions(tree):
        described = ast.get_docstring(node) or inherits_description(tree, name)
        if not described and not _is_overload_or_setter(node):
            yield f"{place(path, node.lineno)}: {name}"


def unannotated_functions(path: Path) -> Iterator[str]:
    """Every public function with an argument or a result that has no type."""
    for name, node in public_definitions(tree_of(path)):
        if isinstance(node, FunctionNode) and not _is_annotated(node):
            yield f"{place(path, node.lineno)}: {name}"


def tests_that_cannot_fail(path: Path) -> Iterator[str]:
    """Every test function that asserts nothing and calls nothing that is named as a check."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, FunctionNode) and node.name.startswith("test_") and not _checks(node):
            yield f"{place(path, node.lineno)}: {node.name}"


def forbidden_text(path: Path) -> Iterator[str]:
    """Every line with a path of one machine or the host of a package registry."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if _MACHINE_PATH.search(line) or _REGISTRY.search(line):
            yield f"{place(path, number)}: {line[:120].decode(errors='replace').strip()}"


def _is_overload_or_setter(node: ast.stmt) -> bool:
    decorators = {ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ())}
    return any(text.endswith((".setter", "overload")) for text in decorators)


def _is_annotated(node: FunctionNode) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += [extra for extra in (node.args.vararg, node.args.kwarg) if extra]
    typed = all(item.annotation or item.arg in {"self", "cls"} for item in arguments)
    return typed and node.returns is not None


def _checks(test: FunctionNode) -> bool:
    return any(
        (isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant))
        or (isinstance(node, ast.Call) and _CHECKING_CALL.search(ast.unparse(node.func)))
        for node in ast.walk(test)
    )
