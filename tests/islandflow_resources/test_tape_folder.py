"""A tape is written once: the same bytes however it is cut, and nothing is ever replaced."""

import json
import tracemalloc

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.canonical import canonical_json
from contracts.errors import ContractError, IntegrityError
from contracts.flow import ACTORS
from contracts.labels import ExpectedOutputs, GroundTruthLabels, load_labels
from contracts.tape import load_profile, spec_from, tape_id, tape_recipe
from contracts.tape_columns import STREAMS
from contracts.tape_manifest import LABEL_FILES, MANIFEST, PROVENANCE, TAPE_FILES, labels_key
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.stored_files import read_sealed
from islandflow_resources.tape_buckets import cut
from islandflow_resources.tape_folder import find_tape, write_tape
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_tables import stream_tables, tape_texts
from tests.contracts.fixture_files import FOLDER
from tests.islandflow_resources.plain_tape import VERSION, PlainTape, plain_spec
from tests.islandflow_resources.tape_tampering import BUNDLE, SEED, inputs_of, written
from tests.oracles.table_digest import table_digest

SECOND_NS = 1_000_000_000


def files(root):
    """Every file below a folder with its bytes, the provenance left out."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != PROVENANCE
    }


class Cut(PlainTape):
    """The same tape in other batches."""

    def __init__(self, spec, seconds):
        super().__init__(spec, SEED)
        self.seconds = seconds

    def batches(self):
        while self.position_ns < self.spec.end_ns:
            yield self.advance(min(self.position_ns + self.seconds * SECOND_NS, self.spec.end_ns))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A tape as its source cuts it."""
    root = tmp_path_factory.mktemp("first") / "root"
    return root, written(root)


def test_a_tape_lies_in_the_layout_of_the_specification(first):
    root, tape = first
    named = tape.manifest.tape_id
    assert named == tape_id(tape_recipe(plain_spec(), SEED, VERSION))
    assert tape.created
    names = [*(f"tapes/{named}/{name}" for name in (*TAPE_FILES, MANIFEST))]
    names += [f"labels/{named}/{name}" for name in LABEL_FILES]
    assert sorted(files(root)) == sorted(names)
    assert read_sealed(FolderStore(root), f"tapes/{named}/{PROVENANCE}") == {"made_at": "today"}
    assert not list((root.parent / "root-staging").iterdir())


@pytest.mark.parametrize("seconds", [7, 60, 10_000])
def test_the_bytes_do_not_depend_on_how_batches_are_cut(first, tmp_path, seconds):
    root, _ = first
    written(tmp_path / "again", source=lambda: Cut(plain_spec(), seconds))
    assert files(tmp_path / "again") == files(root)


def test_a_second_run_gives_the_same_bytes(first, tmp_path):
    written(tmp_path / "again")
    assert files(tmp_path / "again") == files(first[0])


def test_every_value_of_the_source_is_in_the_files(first):
    root, tape = first
    source = PlainTape(plain_spec(), SEED)
    texts = tape_texts(plain_spec().symbols)
    texts.list_contracts(source.contracts)
    batches = [stream_tables(batch, texts) for batch in source.batches()]
    for name, schema in STREAMS.items():
        stored = pq.read_table(root / "tapes" / tape.manifest.tape_id / f"{name}.parquet")
        for column in schema.names:
            expected = [value for one in batches for value in one[name].column(column).to_pylist()]
            assert stored.column(column).to_pylist() == expected


def test_a_row_group_is_a_stretch_of_five_minutes_in_every_stream(first):
    root, tape = first
    starts = tape.manifest.event_hashes.row_group_starts_ns
    assert [ns // SECOND_NS % 300 for ns in starts] == [120, 0]
    for name in STREAMS:
        file = pq.ParquetFile(root / "tapes" / tape.manifest.tape_id / f"{name}.parquet")
        assert file.num_row_groups == len(starts)
        for group, start in enumerate(starts):
            times = file.read_row_group(group).column("ts_ns").to_numpy()
            assert times[0] >= start
            assert times[-1] < start // (300 * SECOND_NS) * 300 * SECOND_NS + 300 * SECOND_NS


def test_digests_are_those_of_the_written_definition(first):
    root, tape = first
    hashes = tape.manifest.event_hashes
    for name, schema in STREAMS.items():
        file = pq.ParquetFile(root / "tapes" / tape.manifest.tape_id / f"{name}.parquet")
        parts = [file.read_row_group(group).to_pydict() for group in range(file.num_row_groups)]

        def digest(values, schema=schema):
            columns = [(c.name, c.kind, c.nullable, values[c.name]) for c in schema.columns]
            return table_digest(schema.name, schema.version, columns, {}, len(values["seq"]))

        whole = {column: [v for part in parts for v in part[column]] for column in schema.names}
        assert hashes.of(name).digest == digest(whole)
        assert [group.digest for group in hashes.of(name).row_groups] == [
            digest(part) for part in parts
        ]


def test_other_libraries_read_the_files_as_plain_strings(first):
    root, tape = first
    path = root / "tapes" / tape.manifest.tape_id / "option_prints.parquet"
    assert str(pq.read_schema(path).field("contract").type) == "string"
    query = f"select typeof(contract), count(*) from '{path}' group by 1"
    assert duckdb.sql(query).fetchall() == [("VARCHAR", 1260)]


def test_an_identical_tape_is_left_as_it_is(first, tmp_path):
    written(tmp_path / "root")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "root").rglob("*.*")}
    again = written(tmp_path / "root")
    assert not again.created
    assert again.manifest == first[1].manifest
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "root").rglob("*.*")} == before


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"run_name": "another"}, "/run/run_name"),
        ({"run_id": "other"}, "/run/run_id"),
        ({"scenario_id": "calm"}, "/run/scenario_id"),
    ],
)
def test_another_run_of_the_same_tape_is_refused_before_anything_is_drawn(first, given, pointer):
    root, _ = first
    before = files(root)

    def never():
        raise AssertionError("drawn")

    with pytest.raises(ContractError) as caught:
        written(root, source=never, inputs=inputs_of(plain_spec(), **given))
    assert (caught.value.code, caught.value.loc) == ("TAPE_EXISTS", pointer)
    assert files(root) == before


def test_a_source_that_says_something_else_is_refused_with_what_differs(first):
    root, _ = first
    before = files(root)
    with pytest.raises(ContractError) as caught:
        written(root, source=lambda: PlainTape(plain_spec(), SEED + 1))
    assert {problem.code for problem in caught.value.problems} == {"TAPE_EXISTS"}
    assert "option_prints.parquet" in str(caught.value)
    assert files(root) == before


def test_a_damaged_file_is_told_and_left(tmp_path):
    named = written(tmp_path / "root").manifest.tape_id
    path = tmp_path / "root" / labels_key(named, "print_labels.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError) as caught:
        written(tmp_path / "root")
    assert [problem.loc for problem in caught.value.problems] == [
        labels_key(named, "print_labels.parquet")
    ]
    assert caught.value.code == "TAPE_DAMAGED"


def test_a_file_of_another_tape_without_a_manifest_is_not_overwritten(tmp_path):
    named = written(tmp_path / "root").manifest.tape_id
    (tmp_path / "root/tapes" / named / MANIFEST).unlink()
    path = tmp_path / "root/tapes" / named / "event_calendar.parquet"
    path.write_bytes(b"something else")
    with pytest.raises(ContractError) as caught:
        written(tmp_path / "root")
    assert caught.value.code == "TAPE_EXISTS"
    assert path.read_bytes() == b"something else"


def test_what_a_killed_writer_left_is_taken_over(first, tmp_path):
    named = written(tmp_path / "root").manifest.tape_id
    (tmp_path / "root/tapes" / named / MANIFEST).unlink()
    (tmp_path / "root/tapes" / named / "option_nbbo.parquet").unlink()
    assert written(tmp_path / "root").created
    assert files(tmp_path / "root") == files(first[0])


def test_a_tape_is_found_by_its_inputs(first, tmp_path):
    root, tape = first
    found = find_tape(FolderStore(root), inputs_of(plain_spec()))
    assert found is not None
    assert found.manifest == tape.manifest
    assert find_tape(FolderStore(tmp_path / "empty"), inputs_of(plain_spec())) is None


def test_labels_may_have_a_store_of_their_own(object_store, tmp_path):
    labels_store = FolderStore(tmp_path / "truth")
    spec = plain_spec()
    tape = write_tape(
        object_store,
        lambda: PlainTape(spec, SEED),
        inputs_of(spec),
        tmp_path / "staging",
        provenance={},
        labels_store=labels_store,
    )
    assert (object_store.keys("labels/"), labels_store.keys("tapes/")) == ([], [])
    assert len(labels_store.keys("labels/")) == len(LABEL_FILES)
    assert verify_tape(tape.place)


def test_nothing_is_left_of_a_source_that_fails(tmp_path):
    class Failing(PlainTape):
        def batches(self):
            yield next(super().batches())
            raise IntegrityError("BROKEN", "on purpose")

    with pytest.raises(IntegrityError, match="on purpose"):
        written(tmp_path / "root", source=lambda: Failing(plain_spec(), SEED))
    assert not files(tmp_path)


def test_an_empty_tape_is_a_tape(tmp_path):
    spec = plain_spec()
    tape = written(tmp_path / "root", source=lambda: PlainTape(spec, SEED, density=0))
    plan = tape.manifest.replay_plan
    assert (plan.event_count, plan.first_ts_ns, plan.last_ts_ns) == (0, None, None)
    assert verify_tape(tape.place)


def test_the_catalogue_is_told_of_bursts_and_of_the_prints_of_injections(tmp_path):
    told = []

    class Injected(PlainTape):
        def advance(self, until_ns):
            batch = super().advance(until_ns)
            batch.print_labels["actor"][5:8] = ACTORS.index("injection")
            batch.print_labels["burst_id"][5:8] = 1
            return batch

    def catalogue(inputs, truth):
        told.append(truth)
        ref = truth.injected[0]
        label = json.loads(
            open_fixture("ground_truth_labels/labels_one.json").replace(
                "0123456789abcdef", inputs.tape_id
            )
        )
        [one] = label["labels"]
        one["event_refs"][0] |= {
            "event_kind": ref.stream,
            "event_id": f"{ref.stream}:{ref.seq}",
            "seq": str(ref.seq),
            "source_ts_ns": str(ref.ts_ns),
        }
        labels = load_labels(json.dumps(label | {"run_id": inputs.run_id}))
        return labels, no_outputs(labels)

    spec = plain_spec()
    tape = written(tmp_path / "root", source=lambda: Injected(spec, SEED), catalogue=catalogue)
    assert tape.manifest.expected_output_contract.label_count == 1
    assert verify_tape(tape.place)
    [truth] = told
    assert len(truth.injected) == 6
    assert len(truth.bursts["burst_id"]) == 7
    prints = {}
    for batch in PlainTape(spec, SEED).batches():
        for name in ("equity_prints", "option_prints"):
            columns = batch.streams[name]
            prints |= dict(
                zip(((name, int(seq)) for seq in columns["seq"]), columns["ts_ns"], strict=True)
            )
    for one in truth.injected:
        assert prints[one.stream, one.seq] == one.ts_ns


def test_a_label_of_an_event_that_is_not_there_is_found(tmp_path):
    def catalogue(inputs, truth):
        text = open_fixture("ground_truth_labels/labels_one.json")
        text = text.replace("0123456789abcdef", inputs.tape_id)
        document = json.loads(text) | {"run_id": inputs.run_id}
        labels = load_labels(json.dumps(document))
        return labels, no_outputs(labels)

    tape = written(tmp_path / "root", catalogue=catalogue)
    with pytest.raises(IntegrityError) as caught:
        verify_tape(tape.place)
    assert caught.value.code == "TAPE_LABELS_DIFFER"
    assert caught.value.loc == "labels.json#/labels/0/event_refs/0"


class Forgetful(PlainTape):
    """What is kept of drawn seconds is not what the writer holds."""

    forgets = True


def test_memory_does_not_grow_with_the_length_of_a_tape(tmp_path):
    def peak(seconds):
        spec = plain_spec(symbols=1, seconds=seconds, start_s=0)
        held = []
        tracemalloc.start()
        written(
            tmp_path / str(seconds),
            spec=spec,
            source=lambda: Forgetful(spec, SEED, density=1),
            progress=lambda *_: held.append(
                pa.total_allocated_bytes() + tracemalloc.get_traced_memory()[0]
            ),
        )
        tracemalloc.stop()
        return max(held)

    short, long = peak(300), peak(900)
    assert long < short * 1.15


def test_a_batch_that_is_cut_anywhere_says_the_same():
    [whole] = [PlainTape(plain_spec(seconds=60), SEED).advance(plain_spec(seconds=60).end_ns)]
    for second in (1, 30, 59):
        before, after = cut(whole, whole.start_ns + second * SECOND_NS)
        assert before is not None
        assert after is not None
        assert before.rows + after.rows == whole.rows
        both = np.concatenate([before.print_labels["seq"], after.print_labels["seq"]])
        assert (both == whole.print_labels["seq"]).all()


def of_fixtures(root, density):
    """The plain tape of the documents in the fixtures."""
    spec = spec_from(json.loads(open_fixture("tape_specs/tape_spec_one_symbol.json")))
    profile = load_profile(open_fixture("tape_profiles/tape_profile_two_symbols.json"))
    named = profile.model_copy(update={"id": spec.id})
    inputs = tape_inputs(named, spec, BUNDLE, VERSION, "a fixture of the manifest")
    return written(root, source=lambda: PlainTape(spec, SEED, density), inputs=inputs)


@pytest.mark.parametrize(("name", "density"), [("two_stretches", 2), ("empty", 0)])
def test_manifests_in_the_fixtures_are_made_again_to_the_byte(tmp_path, name, density):
    manifest = of_fixtures(tmp_path / "root", density).manifest
    stored = json.loads(open_fixture(f"tape_manifests/tape_manifest_{name}.json"))
    assert manifest.to_bytes() == canonical_json(stored) + b"\n"


def open_fixture(name):
    return (FOLDER / name).read_text("utf-8")


def no_outputs(labels: GroundTruthLabels) -> ExpectedOutputs:
    return ExpectedOutputs(
        expected_outputs_version="synthetic-smart-flow-expected-outputs-v1",
        run_id=labels.run_id,
        tape_id=labels.tape_id,
        source_labels_hash=labels.labels_hash,
        outputs=(),
    )
