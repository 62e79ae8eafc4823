"""What the tests run in other processes: writers that race, migrate and get killed.

The tests that start them stand beside this file.
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from islandflow_resources.database import Database
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import file_digest


def wait_until(moment_s):
    """Sleep until a wall-clock moment that all racers share."""
    time.sleep(max(0.0, moment_s - time.time()))


def race_put(store, keys, bodies, moment_s):
    """Put every key with each of the bodies at once; names of the winners by key."""
    wait_until(moment_s)
    with ThreadPoolExecutor(len(bodies)) as threads:
        outcomes = {
            key: list(threads.map(lambda body, key=key: store.put_if_absent(key, body), bodies))
            for key in keys
        }
    return {
        key: [file_digest(body) for body, won in zip(bodies, wins, strict=True) if won]
        for key, wins in outcomes.items()
    }


def artefact(number, content="blake3:" + "0" * 64):
    """A row whose recipe is named by a number."""
    return Artefact(
        recipe_digest=f"sha256:{number:064x}",
        what="scenario_dataset",
        scenario_key="trend-0123456789ab",
        seed=number,
        version="1",
        content_digest=content,
        object_key=f"scenarios/{number}/dataset.parquet",
        rows=100,
        recipe={"what": "scenario_dataset", "seed": str(number)},
    )


def record_overlapping(url, batches, moment_s):
    """Record batches of numbers; how many rows this process was first with."""
    database = Database(url)
    database.migrate()
    wait_until(moment_s)
    new = sum(database.record([artefact(number) for number in batch]) for batch in batches)
    database.dispose()
    return new


def migrate_at(url, moment_s):
    """Migrate an empty database at a moment; the sentence it then says of itself."""
    wait_until(moment_s)
    database = Database(url)
    database.migrate()
    sentence = database.check()
    database.dispose()
    return sentence


def put_until_killed(store, sizes):
    """Put objects named by their digest for ever."""
    number = 0
    store.exists("torture/warm-up")
    store.before_write("torture/warm-up")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        body = os.urandom(sizes[number % len(sizes)])
        digest = file_digest(body).removeprefix("blake3:")
        store.put_if_absent(f"torture/{digest}", body)
        number += 1


def main():
    """Run `put_until_killed` on the store that the environment chooses."""
    from islandflow_resources.resource_set import ResourceSet

    sizes = [int(text) for text in sys.argv[1:]]
    put_until_killed(ResourceSet.from_environment().store, sizes)


if __name__ == "__main__":
    main()
