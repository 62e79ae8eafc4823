"""Small tapes on disk, and ways to change them behind the back of their manifests."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.canonical import canonical_json
from contracts.digest import document_digest
from contracts.errors import IntegrityError
from contracts.labels import load_expected_outputs, load_labels
from contracts.tape import SeedBundle, profile_from
from contracts.tape_columns import STREAMS, TRUTH
from contracts.tape_defaults import default_profile
from contracts.tape_manifest import LABEL_FILES, REFERENCE, TAPE_FILES, load_manifest, tape_digest
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.table_schemas import conformed
from islandflow_resources.tape_files import TABLES, TableReader, TapeFile
from islandflow_resources.tape_folder import write_tape
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place
from tests.islandflow_resources.plain_tape import VERSION, PlainTape, plain_spec

SEED = 7
BUNDLE = SeedBundle(seed=SEED, namespace="default", partition="market")


def inputs_of(spec, run_name="a tape for tests", **names):
    """Inputs of a plain tape; `names` are ``run_id`` and ``scenario_id``."""
    profile = profile_from(default_profile(1).model_dump(mode="json") | {"id": spec.id})
    return tape_inputs(profile, spec, BUNDLE, VERSION, run_name, **names)


def written(root, spec=None, density=3, source=None, **given):
    """A plain tape below a folder."""
    spec = spec or plain_spec()
    return write_tape(
        FolderStore(root),
        source or (lambda: PlainTape(spec, SEED, density)),
        given.pop("inputs", None) or inputs_of(spec),
        root.parent / f"{root.name}-staging",
        provenance={"made_at": "today"},
        **given,
    )


class Copy:
    """A copy of a written tape that may be damaged.

    Attributes
    ----------
    tape, labels : Path
        Folders of the tape and of its labels.
    """

    def __init__(self, root, tape_id, folder):
        shutil.copytree(root, folder)
        self.tape = folder / "tapes" / tape_id
        self.labels = folder / "labels" / tape_id

    def path(self, name):
        """Where a file lies."""
        return (self.labels if name in LABEL_FILES else self.tape) / name

    def tables(self, name):
        """Row groups of a table, texts as plain strings."""
        with self.path(f"{name}.parquet").open("rb") as file:
            reader = TableReader(file, name, TABLES[name])
            return [conformed(table, TABLES[name]) for table in reader.tables()]

    def write(self, name, tables):
        """Write the row groups of a table anew."""
        path = self.path(f"{name}.parquet")
        with TapeFile(path, TABLES[name]) as file:
            for table in tables:
                file.append(coded(table))

    def change(self, name, group, change):
        """Put `change` of a row group in its place."""
        tables = self.tables(name)
        tables[group] = change(tables[group])
        self.write(name, tables)

    def write_plain(self, name, table):
        """Write a table of any columns as one row group."""
        texts = {"islandflow.table": name, "islandflow.table_version": "1"}
        pq.write_table(table.replace_schema_metadata(texts), self.path(f"{name}.parquet"))

    def document(self, name):
        """A JSON file as Python has it."""
        return json.loads(self.path(name).read_bytes())

    def write_document(self, name, document):
        """Write a JSON file canonically."""
        self.path(name).write_bytes(canonical_json(document) + b"\n")

    def edit_manifest(self, change):
        """Change the manifest and seal it again."""
        manifest = self.document("manifest.json")
        change(manifest)
        del manifest["manifest_hash"]
        self.write_document(
            "manifest.json", {**manifest, "manifest_hash": document_digest(manifest)}
        )

    def forge(self):
        """Let the manifest say what the files say now, whatever that is."""
        self.edit_manifest(self._forged)

    def _forged(self, manifest):
        hashes = {name: self._hashes(name) for name in TABLES}
        events, contract = manifest["event_hashes"], manifest["expected_output_contract"]
        for name in (*STREAMS, *REFERENCE):
            events[name] = hashes[name]
        events["tape"] = tape_digest(
            {name: hashes[name]["digest"] for name in (*STREAMS, *REFERENCE)}
        )
        for name in TRUTH:
            contract["tables"][name] = hashes[name]
        counts = {name: hashes[name]["rows"] for name in STREAMS}
        manifest["replay_plan"] |= {"counts": counts, "event_count": sum(counts.values())}
        manifest["run"]["counts"] = counts
        for names, artifacts in (
            (TAPE_FILES, manifest["artifacts"]),
            (LABEL_FILES, contract["artifacts"]),
        ):
            for name, artifact in zip(names, artifacts, strict=True):
                path = self.path(name)
                artifact |= {"digest": file_digest(path), "size_bytes": path.stat().st_size}
        labels = load_labels(self.path("labels.json").read_bytes())
        outputs = load_expected_outputs(self.path("expected_outputs.json").read_bytes())
        contract |= {"labels_hash": labels.labels_hash, "label_count": len(labels.labels)}
        contract["smart_flow_outputs_hash"] = outputs.outputs_hash
        contract["expected_output_count"] = len(outputs.outputs)

    def _hashes(self, name):
        path = self.path(f"{name}.parquet")
        with TapeFile(path.with_suffix(".again"), TABLES[name]) as file:
            for table in self.tables(name):
                file.append(coded(table))
        file.path.unlink()
        return file.hashes.document()

    @property
    def manifest(self):
        """The manifest as it stands."""
        return load_manifest(self.path("manifest.json").read_bytes())


def coded(table):
    """The table with every text as a 32-bit code."""
    columns = [
        column.combine_chunks().dictionary_encode() if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    fields = [
        pa.field(name, column.type, nullable=False)
        for name, column in zip(table.column_names, columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def with_value(table, column, row, value):
    """The table with another value in one cell."""
    values = table.column(column).to_pylist()
    values[row] = value
    kind = table.schema.field(column).type
    at = table.column_names.index(column)
    return table.set_column(at, table.schema.field(at), pa.array(values, kind))


def taken(table, rows):
    """The table's rows in another order, some left out or twice."""
    return table.take(pa.array(rows, pa.int64()))


def refusal(copy, **given):
    """What is said of a damaged tape."""
    with pytest.raises(IntegrityError) as caught:
        verify_tape(local_place(copy.tape), **given)
    return caught.value


def codes(error):
    """Codes of everything that is wrong."""
    return [problem.code for problem in error.problems]
