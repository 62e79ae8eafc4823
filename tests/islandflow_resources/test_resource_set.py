"""The set of resources that an environment chooses, in both profiles."""

import pickle
import subprocess
import sys

import pytest

from contracts.errors import ConfigurationError
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.s3_store import S3Store


def own(environment):
    return {k: v for k, v in environment.items() if k.startswith("ISLANDFLOW_")}


def test_the_environment_alone_chooses_where_things_live(
    embedded_environment, services_environment
):
    embedded = ResourceSet.from_environment(own(embedded_environment))
    services = ResourceSet.from_environment(own(services_environment))
    assert isinstance(embedded.store, FolderStore)
    assert isinstance(services.store, S3Store)
    assert "sqlite" in repr(embedded.database)
    assert "postgresql" in repr(services.database)


def test_labels_lie_in_the_same_place_and_are_opened_with_their_own_keys(
    embedded_environment, services_environment
):
    embedded = ResourceSet.from_environment(own(embedded_environment))
    assert embedded.labels_store is embedded.store
    services = own(services_environment)
    shared = ResourceSet.from_environment(services)
    assert shared.labels_store is shared.store
    labels = {"ISLANDFLOW_S3_LABELS_ACCESS_KEY": "k", "ISLANDFLOW_S3_LABELS_SECRET_KEY": "s"}
    apart = ResourceSet.from_environment(services | labels)
    assert apart.labels_store is not apart.store
    assert apart.labels_store.root_uri == apart.store.root_uri


def test_a_set_works_on_a_fresh_home_in_both_profiles(profile_environment):
    resources = ResourceSet.from_environment(own(profile_environment))
    resources.store.put_if_absent("a/b", b"1")
    assert resources.store.get("a/b") == b"1"
    assert resources.database.scenarios() == []
    copied = pickle.loads(pickle.dumps(resources))  # noqa: S301
    assert copied.store.get("a/b") == b"1"
    assert copied.database.scenarios() == []
    resources.database.dispose()
    copied.database.dispose()


def test_a_half_configured_environment_gives_no_set():
    with pytest.raises(ConfigurationError, match="PROFILE_INCOMPLETE"):
        ResourceSet.from_environment({"ISLANDFLOW_S3_BUCKET": "lake"})


def test_making_a_set_touches_nothing_and_imports_no_slow_library(embedded_environment):
    code = (
        "import sys, os; from islandflow_resources.resource_set import ResourceSet; "
        "r = ResourceSet.from_environment(); r.store.keys(); "
        "slow = {'dagster', 'boto3', 'sqlalchemy', 'numba', 'pyarrow', 'alembic', 'duckdb'}; "
        "print(sorted(slow & set(sys.modules)), os.path.exists(r.settings.home))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=embedded_environment,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == "[] False"
