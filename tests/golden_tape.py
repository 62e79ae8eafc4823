"""A small tape that is kept as bytes: ``python -m tests.golden_tape`` writes it anew.

Two quiet symbols, twenty seconds from ten minutes after the open, seed 7; its provenance tells
neither time nor host. Bytes that change here change every stored tape: raise
``engine.tapes.market.VERSION`` with them.
"""

import shutil
from pathlib import Path

from contracts.tape import SeedBundle, TapeProfile
from contracts.tape_defaults import default_profile
from engine.tapes.market import VERSION, MarketTape
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_folder import write_tape
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_specs import resolve
from tests.architecture.sources import ROOT

FOLDER = ROOT / "contracts" / "fixtures" / "golden_tape"
SYMBOLS = ("PFE", "DIS")
BUNDLE = SeedBundle(seed=7, namespace="default", partition="market")


def golden_profile() -> TapeProfile:
    """The profile of the tape."""
    whole = default_profile()
    return whole.model_copy(
        update={
            "id": "golden",
            "universe": tuple(one for one in whole.universe if one.symbol in SYMBOLS),
            "chain": whole.chain.model_copy(update={"strikes_each_side": 4, "weeklies": 2}),
            "flow": whole.flow.model_copy(update={"bursts_per_minute": 12.0}),
            "session": whole.session.model_copy(update={"skip_s": 600, "duration_s": 20}),
        }
    )


def write_golden(folder: Path) -> dict[str, bytes]:
    """Make the tape below a folder; its files by their paths."""
    profile = golden_profile()
    spec = resolve(profile)
    inputs = tape_inputs(profile, spec, BUNDLE, VERSION, "golden")
    source = MarketTape(spec, BUNDLE.root_seed)
    work = folder / "work"
    write_tape(FolderStore(folder / "store"), lambda: source, inputs, work, provenance={})
    return golden_files(folder / "store")


def golden_files(folder: Path) -> dict[str, bytes]:
    """Files of the tape below a folder by their paths."""
    paths = [
        path
        for name in ("tapes", "labels")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    ]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def main() -> None:
    """Write the kept files anew."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = write_golden(Path(folder))
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, data in files.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
