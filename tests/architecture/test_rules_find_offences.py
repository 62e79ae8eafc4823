"""Every rule of rules.py on a file that breaks it and on one that does not."""

import pytest

from tests.architecture import rules


@pytest.fixture
def source(tmp_path):
    """Writes a Python file and returns its path."""

    def write(text, name="module.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "from pickle import loads",
        "import joblib",
        "import os\nos.system('ls')",
        "import yaml\nyaml.load('', yaml.Loader)",
        "import numpy as np\nnp.load('x.npy')",
        "import subprocess\nsubprocess.getoutput('ls')",
    ],
)
def test_what_runs_data_as_code_is_found(source, text):
    assert list(rules.forbidden_uses(source(text), rules.UNSAFE))


@pytest.mark.parametrize("value", ["True", "flag", "1"])
def test_a_shell_is_found(source, value):
    text = "import subprocess\nsubprocess.run('ls', shell={})"
    assert list(rules.shells(source(text.format(value))))
    assert list(rules.shells(source(text.format("False"), "off.py"))) == []
    assert list(rules.shells(source("import subprocess\nsubprocess.run(['ls'])", "bare.py"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from random import Random",
        "import numpy as np\nnp.random.seed(1)",
        "from numpy import random as r\nr.default_rng()",
        "import time\nnow = time.time()",
        "from time import time as clock\nclock()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "from uuid import uuid4",
        "eval('1')",
        "def f():\n    exec('x = 1')",
        "import pickle",
    ],
)
def test_an_impure_use_is_found(source, text):
    assert list(rules.forbidden_uses(source(text), rules.IMPURE))


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.perf_counter()",
        "from datetime import datetime\ndatetime.fromtimestamp(0)",
        "class Rng:\n    def random(self): ...\n\nRng().random()",
        "import random_access",
        "'import random'",
    ],
)
def test_a_pure_use_is_left_alone(source, text):
    assert list(rules.forbidden_uses(source(text), rules.IMPURE)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos.environ['A']",
        "from os import getenv",
        "import os as o\no.getenv('A')",
        "import dagster as dg\ndg.EnvVar('A')",
    ],
)
def test_a_read_of_the_environment_is_found(source, text):
    assert list(rules.forbidden_uses(source(text), rules.ENVIRONMENT))


def test_the_environment_rule_leaves_the_rest_of_os_alone(source):
    assert (
        list(rules.forbidden_uses(source("import os\nos.path.join('a')"), rules.ENVIRONMENT)) == []
    )


def test_a_file_over_the_limit_is_found_and_one_at_the_limit_is_not(source):
    assert list(rules.too_long(source("x = 1\n" * (rules.MAX_LINES + 1))))
    assert list(rules.too_long(source("x = 1\n" * rules.MAX_LINES))) == []


@pytest.mark.parametrize("name", ["utils.py", "common/rows.py", "base.py"])
def test_a_name_of_no_thing_is_found(monkeypatch, source, tmp_path, name):
    monkeypatch.setattr("tests.architecture.sources.ROOT", tmp_path)
    assert list(rules.vague_name(source("", name)))


def test_a_name_that_only_contains_a_vague_word_is_left_alone(source):
    assert list(rules.vague_name(source("", "baseline.py"))) == []


def test_a_module_without_docstring_is_found(source):
    assert list(rules.undescribed_module(source("x = 1\n")))
    assert list(rules.undescribed_module(source('"""What is here."""\n', "described.py"))) == []
    assert list(rules.undescribed_module(source("", "__init__.py"))) == []


def test_undescribed_public_definitions_are_found_by_name(source):
    text = (
        "def f(): pass\n"
        "def _g(): pass\n"
        "class C:\n    '''Described.'''\n    def m(self): pass\n    def _n(self): pass\n"
    )
    found = list(rules.undescribed_definitions(source(text)))
    assert [offence.rpartition(": ")[2] for offence in found] == ["f", "C.m"]


def test_a_method_described_by_a_base_of_its_class_needs_no_words_of_its_own(source):
    text = (
        "class Base:\n    '''Described.'''\n    def m(self):\n        '''Described.'''\n"
        "class Middle(Base):\n    '''Described.'''\n"
        "class C(Middle):\n    '''Described.'''\n    def m(self): pass\n    def n(self): pass\n"
    )
    found = list(rules.undescribed_definitions(source(text)))
    assert [offence.rpartition(": ")[2] for offence in found] == ["C.n"]


def test_unannotated_public_functions_are_found_by_name(source):
    text = (
        "def f(a, b: int) -> int: ...\n"
        "def g(a: int): ...\n"
        "def h(a: int, *rest: int, key: str) -> int: ...\n"
        "class C:\n    def m(self, **options) -> int: ...\n    def n(self) -> int: ...\n"
    )
    found = list(rules.unannotated_functions(source(text)))
    assert [offence.rpartition(": ")[2] for offence in found] == ["f", "g", "C.m"]


def test_tests_that_assert_nothing_are_found_by_name(source):
    text = (
        "def test_nothing():\n    f()\n"
        "def test_a_constant():\n    assert True\n"
        "def test_assert():\n    assert f()\n"
        "def test_raises():\n    with pytest.raises(ValueError):\n        f()\n"
        "def test_calls_a_check():\n    np.testing.assert_allclose(1, 1)\n"
    )
    found = list(rules.tests_that_cannot_fail(source(text)))
    assert [offence.rpartition(": ")[2] for offence in found] == ["test_nothing", "test_a_constant"]


@pytest.mark.parametrize(
    "parts", [("", "work", "main"), ("", "root", "x"), ("see ", "home", "ann")]
)
def test_a_path_of_one_machine_is_found(source, parts):
    assert list(rules.forbidden_text(source("/".join(parts), "note.txt")))


@pytest.mark.parametrize("host", [("pypi", "org"), ("files", "pythonhosted", "org")])
def test_a_package_registry_is_found(source, host):
    assert list(rules.forbidden_text(source("https://" + ".".join(host), "note.txt")))


def test_a_path_inside_the_project_or_a_container_is_left_alone(source):
    text = "tests/work/data /var/lib/islandflow $HOME/work/x 3/work/7\n"
    assert list(rules.forbidden_text(source(text, "note.txt"))) == []
