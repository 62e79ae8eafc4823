"""One home with a published signal, and one fast server of it, for all tests of a module."""

import pytest

from islandflow_jobs.serve.app import Serving
from tests.islandflow_jobs.serve.published import make_home
from tests.islandflow_jobs.serve.served import FAST, serving


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home of this module's own."""
    return make_home(tmp_path_factory.mktemp("serve") / "home")


@pytest.fixture(scope="module")
def server(home):
    """A server of that home at twenty times the pace."""
    with serving(home.resources, Serving(pace=FAST, hello_s=0.3)) as address:
        yield address
