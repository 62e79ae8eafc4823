"""Scripts against models, races of first starts, databases of another age."""

import subprocess
import sys
import time

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from contracts.errors import ConfigurationError
from islandflow_resources import migrations
from islandflow_resources.connections import WRITE, make_engine
from islandflow_resources.database import Database
from islandflow_resources.migrate import _REVISIONS, needs_upgrade, upgrade
from islandflow_resources.models import HEAD, Base
from islandflow_resources.registry import Registry
from tests.islandflow_resources.promotions import promotion
from tests.islandflow_resources.workers import migrate_at

SCENARIO_OF_0001 = (
    "INSERT INTO scenarios (scenario_hash, scenario_key, scenario_id, spec, registered_at) "
    "VALUES ('sha256:a', 'trend-a', 'trend', '{\"drift\": 0.1}', '2026-01-01 00:00:00.000000')"
)
AUDIT_OF_0001 = (
    "INSERT INTO audit (audit_id, at, actor, action, subject, detail) "
    "VALUES ('1', '2026-01-01 00:00:00.000000', 'me', 'repair', 'x', '{\"why\": \"bits\"}')"
)

ARTEFACTS_OF_0001 = (
    'INSERT INTO artefacts (recipe_digest, what, version, content_digest, object_key, "rows", '
    "recipe, created_at) "
    "VALUES ('sha256:{0}', 'x', '1', 'sha256:c', '{0}/tin-1/x/y.json', 1, '{{}}', "
    "'2026-01-01 00:00:00.000000')"
)


@pytest.fixture
def engine(database_url):
    made = make_engine(database_url).execution_options(**{WRITE: True})
    yield made
    made.dispose()


def configured(connection=None):
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    config.attributes["connection"] = connection
    return config


def scripts():
    return ScriptDirectory.from_config(configured())


def test_the_scripts_and_the_constants_name_the_same_revisions():
    revisions = [script.revision for script in scripts().walk_revisions()]
    assert tuple(reversed(revisions)) == _REVISIONS
    assert scripts().get_heads() == [HEAD]


def test_the_migrated_tables_are_those_of_the_models(engine):
    with engine.begin() as connection:
        upgrade(connection)
    with engine.begin() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgrade_is_whole_or_nothing(engine):
    with engine.connect() as connection:
        transaction = connection.begin()
        upgrade(connection)
        transaction.rollback()
    with engine.begin() as connection:
        assert needs_upgrade(connection)
        upgrade(connection)
        assert not needs_upgrade(connection)


def test_every_downgrade_leaves_an_empty_database_that_can_be_upgraded(engine):
    with engine.begin() as connection:
        upgrade(connection)
        command.downgrade(configured(connection), "base")
        names = set(connection.dialect.get_table_names(connection))
        assert names == {"alembic_version"}
        upgrade(connection)
        assert not needs_upgrade(connection)


@pytest.mark.faults
def test_four_processes_may_migrate_an_empty_database_at_once(database_url, writers):
    moment_s = time.time() + 1.5
    futures = [writers.submit(migrate_at, database_url, moment_s) for _ in range(4)]
    sentences = {future.result() for future in futures}
    assert len(sentences) == 1
    assert f"at revision {HEAD}" in sentences.pop()


def test_a_database_of_the_first_revision_keeps_its_rows_and_gains_the_registry(
    engine, database_url
):
    with engine.begin() as connection:
        command.upgrade(configured(connection), "0001")
        artefacts = [ARTEFACTS_OF_0001.format(folder) for folder in ("campaigns", "reports")]
        for statement in (SCENARIO_OF_0001, AUDIT_OF_0001, *artefacts):
            connection.exec_driver_sql(statement)
    database = Database(database_url)
    [derived] = database.artefacts(scenario_key="tin-1")
    assert (derived.recipe_digest, derived.created_at.year) == ("sha256:campaigns", 2026)
    assert [row.spec for row in database.scenarios()] == [{"drift": 0.1}]
    assert [(row.actor, row.detail) for row in database.audit()] == [("me", {"why": "bits"})]
    assert f"at revision {HEAD}" in database.check()
    registry = Registry(database)
    assert registry.promote(promotion(1)).revision == 1
    assert [row.action for row in database.audit()] == ["repair", "promotion"]
    database.dispose()


def test_a_newer_database_is_refused_and_left_alone(database_url):
    database = Database(database_url)
    database.migrate()
    with database._engine().execution_options(**{WRITE: True}).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.dispose()
    later = Database(database_url)
    with pytest.raises(ConfigurationError) as caught:
        later.scenarios()
    assert caught.value.code == "DATABASE_NEWER"
    assert "9999" in caught.value.message
    later.dispose()


def test_a_migrated_database_is_used_without_importing_the_migration_tool(tmp_path):
    url = f"sqlite:///{tmp_path}/a/islandflow.db"
    Database(url).migrate()
    code = (
        "import sys; from islandflow_resources.database import Database; "
        f"print(Database({url!r}).scenarios(), 'alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["[]", "False"]
