"""The tape that is kept as bytes is made again, byte for byte, and proves itself."""

from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place
from tests.golden_tape import FOLDER, golden_files, write_golden

LARGEST_BYTES = 50_000


def test_the_kept_tape_is_made_again_byte_for_byte(tmp_path):
    made, kept = write_golden(tmp_path), golden_files(FOLDER)
    assert sorted(made) == sorted(kept)
    differing = [name for name, data in kept.items() if made[name] != data]
    assert not differing, f"{differing}: python -m tests.golden_tape writes them anew"


def test_every_kept_file_is_small():
    sizes = {name: len(data) for name, data in golden_files(FOLDER).items()}
    assert len(sizes) > 10
    assert max(sizes.values()) <= LARGEST_BYTES, sizes


def test_the_kept_tape_is_proved_from_its_folder_alone():
    verified = verify_tape(local_place(FOLDER))
    assert verified.manifest.run.run_name == "golden"
