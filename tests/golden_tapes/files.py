"""Golden artefacts of the synthetic session: what they are made from, and where they lie.

Profiles of the catalogue as ``islandflow tape catalogue`` prints them, and one tape of a minute
with its labels, small enough to look at. They change with ``engine.tapes.market.api.VERSION``
and never otherwise.
"""

import tempfile
from pathlib import Path

from contracts.tape import Injection, SeedBundle, TapeProfile
from contracts.tape_catalogue import SCENARIO_IDS
from contracts.tape_defaults import default_profile, default_universe
from engine.tapes.market.api import VERSION, MarketTape
from islandflow_jobs import catalogue_run
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_catalogue import catalogue_truth
from islandflow_resources.tape_folder import write_tape
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_specs import resolve
from tests.architecture.sources import ROOT

FOLDER = ROOT / "contracts" / "fixtures"
TAPE = "golden_tape"
MOST_BYTES = 50_000
SEEDS = SeedBundle(seed=7, namespace="golden", partition="minute")
SCENARIO = "institutional-directional-flow"
FAINT = {"trades_per_second": 0.1, "option_prints_per_second": 0.05}


def stored(name: str) -> Path:
    """Where an artefact lies, by its name below the folder of the fixtures."""
    return FOLDER / name


def made() -> dict[str, bytes]:
    """Every artefact, made anew."""
    return {**_catalogue(), **_tape()}


def profile() -> TapeProfile:
    """A minute of two symbols that hardly anybody trades, with one scenario put in."""
    whole = default_profile(26)
    universe = tuple(one.model_copy(update=FAINT) for one in default_universe(26)[-2:])
    small = {"dailies": 0, "weeklies": 1, "monthlies": 1, "strikes_each_side": 3}
    shown = {"skip_s": 40, "duration_s": 60}
    sweep = Injection(
        id=SCENARIO,
        subtype="call_sweep",
        symbol=universe[0].symbol,
        at_s=60,
        notional_usd=120_000.0,
        is_decoy=False,
    )
    return whole.model_copy(
        update={
            "id": "golden",
            "universe": universe,
            "chain": whole.chain.model_copy(update=small),
            "session": whole.session.model_copy(update=shown),
            "injections": (sweep,),
        }
    )


def _catalogue() -> dict[str, bytes]:
    return {
        f"tape_profiles/tape_profile_{name.replace('-', '_')}.json": (
            "\n".join(catalogue_run.profile(name)) + "\n"
        ).encode("utf-8")
        for name in SCENARIO_IDS
    }


def _tape() -> dict[str, bytes]:
    wanted = profile()
    inputs = tape_inputs(
        wanted, resolve(wanted), SEEDS, VERSION, "a golden minute", scenario_id=SCENARIO
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        write_tape(
            FolderStore(root),
            lambda: MarketTape(inputs.spec, inputs.seed_bundle.root_seed),
            inputs,
            Path(folder) / "staging",
            provenance={"made_by": "python -m tests.golden_tapes"},
            catalogue=catalogue_truth,
        )
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        return {f"{TAPE}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in files}
