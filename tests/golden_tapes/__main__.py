"""Write every golden artefact of the synthetic session anew: ``python -m tests.golden_tapes``."""

import shutil

from tests.golden_tapes.files import TAPE, made, stored

artefacts = made()
shutil.rmtree(stored(TAPE), ignore_errors=True)
for name, data in artefacts.items():
    stored(name).parent.mkdir(parents=True, exist_ok=True)
    stored(name).write_bytes(data)
