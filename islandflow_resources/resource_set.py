"""The one set of resources that a profile is made of: settings, store, database, engine.

Everything is made at first use and cheap to make again, because Dagster sets
resources up more than once a run. What each part does lives in its own module.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from islandflow_resources.folder_store import FolderStore
from islandflow_resources.s3_store import S3Store
from islandflow_resources.settings import Settings, load_settings

if TYPE_CHECKING:
    from islandflow_resources.database import Database
    from islandflow_resources.engine_runtime import EngineRuntime
    from islandflow_resources.object_store import ObjectStore
    from islandflow_resources.signatures import Keyring


class ResourceSet:
    """Store, database and engine runtime of one `Settings`.

    Examples
    --------
    >>> ResourceSet.from_environment({"ISLANDFLOW_HOME": "/data"}).store
    FolderStore('/data/objects')
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> ResourceSet:
        """Make the set that the environment chooses; see `load_settings`."""
        return cls(load_settings(environ))

    @cached_property
    def store(self) -> ObjectStore:
        """The folder or the bucket."""
        if self.settings.s3 is None:
            return FolderStore(self.settings.objects_home)
        made = S3Store(self.settings.s3)
        # A folder lies beside its registry; a bucket may be that of several.
        made.first_write = lambda: self._leave_mark(made)
        return made

    def _leave_mark(self, store: ObjectStore) -> None:
        from islandflow_resources.store_marks import leave_mark

        leave_mark(store, self.database)

    @cached_property
    def labels_store(self) -> ObjectStore:
        """Where the truth about tapes lies: the same place, opened with keys of its own if it has.

        The keys need not be allowed to see anything but ``labels/``.
        """
        labels = self.settings.labels_s3
        return self.store if labels is None else S3Store(labels)

    @cached_property
    def database(self) -> Database:
        """The registry and results index; its tables are made by `Database.migrate`."""
        # Imported here: SQLAlchemy takes a second that many commands never need.
        from islandflow_resources.database import Database

        return Database(self.settings.database_url)

    @cached_property
    def keyring(self) -> Keyring:
        """Keys that published specs are signed with and trusted by."""
        from islandflow_resources.signatures import Keyring

        return Keyring.of(self.settings)

    @cached_property
    def engine_runtime(self) -> EngineRuntime:
        """Threads, memory budget and kernel cache of this process."""
        from islandflow_resources.engine_runtime import EngineRuntime

        return EngineRuntime(
            threads=self.settings.threads,
            memory_mb=self.settings.memory_mb,
            kernel_home=self.settings.kernel_home,
        )
