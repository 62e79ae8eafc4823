"""Published specs: what they say, and that nothing but what their id names is ever read."""

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.published import (
    bound_strategy,
    draft,
    first_difference,
    publish,
    read_evidence,
    read_published,
    spec_key,
)
from islandflow_resources.signatures import key_id, signature_key
from islandflow_resources.tables import read_verified
from islandflow_resources.trials import TRIALS
from tests.islandflow_resources.campaigning import (
    BUSTED,
    Home,
    damage,
    empty_home,
    finished_copy,
    finished_folder,
    remove,
)


def drafted(home, campaign=None):
    campaign = campaign or home.ready()
    judged = home.judged(campaign)
    return draft(home.store, home.database, campaign, judged.dossier, judged.stored.content_digest)


def signature_of(home, made):
    return signature_key(made.serving_id, key_id(home.keyring.public_key()))


def data_of(home, campaign):
    refs = [dataset_ref(scenario, seed) for scenario, seed in campaign.cells]
    for one in find_datasets(*home.place, refs):
        spec, digest = one.ref.spec, one.manifest.content_digest
        data = BacktestData.of_dataset(one.table, spec, digest)
        yield spec.partition_key, one.ref.seed, data


@pytest.fixture
def home():
    with finished_copy() as made:
        yield made


@pytest.fixture(scope="module")
def shared():
    return Home.embedded(finished_folder())


@pytest.fixture(scope="module")
def made(shared):
    return drafted(shared)


def test_a_spec_holds_the_numbers_that_were_judged_and_where_they_come_from(shared, made):
    campaign, judged = shared.ready(), shared.judged(shared.ready())
    spec, winner = made.spec, judged.dossier.winner
    assert dict(spec.strategy.params) == winner.params
    assert spec.strategy.rules == campaign.entrants[0][0].rules
    assert spec.settings == campaign.spec.settings
    assert spec.source.campaign_hash == campaign.spec.campaign_hash
    assert spec.source.strategy_hash == winner.strategy_hash
    assert spec.source.dossier_digest == judged.stored.content_digest
    assert (spec.source.datasets, spec.evidence.rows) == (4, 4)


def test_the_same_campaign_gives_the_same_spec_in_every_home(made):
    with empty_home() as home:
        home.trials(home.ready())
        assert drafted(home).serving_id == made.serving_id


def test_the_evidence_is_the_winners_row_of_every_chunk(shared, made):
    rows = made.evidence.to_pylist()
    cells = [(scenario.partition_key, seed) for scenario, seed in shared.ready().cells]
    assert [(row["scenario_key"], row["seed"]) for row in rows] == cells
    assert {row["set_id"] for row in rows} == {made.spec.source.set_id}
    chunks = shared.trials(shared.ready()).chunks.table.to_pylist()
    for row, chunk in zip(rows, chunks, strict=True):
        table = read_verified(shared.store, chunk["object_key"], TRIALS, chunk["content_digest"])
        [own] = [one for one in table.to_pylist() if one["set_id"] == row["set_id"]]
        names = [name for name in row if name in own]
        assert len(names) == 23
        assert {name: row[name] for name in names} == {name: own[name] for name in names}


def test_a_spec_gives_every_row_of_its_evidence_again_to_the_bit(shared, made):
    expected = {(row["scenario_key"], row["seed"]): row for row in made.evidence.to_pylist()}
    for key, seed, data in data_of(shared, shared.ready()):
        row = expected.pop((key, seed))
        assert first_difference(made.spec, data, row) is None
        for name in ("sharpe", "final_equity", "fills"):
            wrong = row | {name: row[name] * (1 + 2**-52) if name != "fills" else row[name] + 1}
            assert name in first_difference(made.spec, data, wrong)
        assert first_difference(made.spec, data, row | {"sharpe": None}) is not None
    assert expected == {}


def test_what_is_published_is_read_as_it_was(home):
    made = drafted(home)
    assert home.store.keys("serving/") == []
    publish(home.store, home.keyring, made)
    publish(home.store, home.keyring, made)
    assert home.store.keys("serving/") == sorted(
        [made.key, made.spec.evidence.object_key, signature_of(home, made)]
    )
    assert read_published(home.store, home.keyring, made.serving_id) == made.spec
    assert read_evidence(home.store, made.spec).to_pylist() == made.evidence.to_pylist()


def test_no_byte_of_a_spec_may_be_another(home):
    made = drafted(home)
    publish(home.store, home.keyring, made)
    data = home.store.get(made.key)
    places = [*range(0, len(data), len(data) // 40), len(data) - 1]
    for place in places:
        damage(home.store, made.key, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(IntegrityError, match="SERVING_TAMPERED") as caught:
            read_published(home.store, home.keyring, made.serving_id)
        assert made.serving_id in caught.value.message
    for other in (data + b" ", data[:-1], b"", b" " + data, b"\xff\xfe", b"[1]\n"):
        damage(home.store, made.key, other)
        with pytest.raises(IntegrityError, match="SERVING_TAMPERED"):
            read_published(home.store, home.keyring, made.serving_id)


def test_another_spec_in_its_place_is_refused(home):
    made = drafted(home)
    publish(home.store, home.keyring, made)
    other = home.ready(promotion={"alias": "best", "description": "another"})
    home.trials(other)
    theirs = drafted(home, other)
    assert theirs.serving_id != made.serving_id
    publish(home.store, home.keyring, theirs)
    damage(home.store, made.key, home.store.get(theirs.key))
    with pytest.raises(IntegrityError, match="SERVING_TAMPERED"):
        read_published(home.store, home.keyring, made.serving_id)
    assert read_published(home.store, home.keyring, theirs.serving_id) == theirs.spec


def test_a_tampered_spec_is_not_published_over(home):
    made = drafted(home)
    publish(home.store, home.keyring, made)
    damage(home.store, made.key)
    with pytest.raises(IntegrityError, match="OBJECT_DIFFERS"):
        publish(home.store, home.keyring, made)


def test_no_byte_of_the_evidence_changes_what_is_read(home):
    made = drafted(home)
    publish(home.store, home.keyring, made)
    key = made.spec.evidence.object_key
    data, whole = home.store.get(key), made.evidence.to_pylist()
    refused = 0
    for place in range(0, len(data), len(data) // 60):
        damage(home.store, key, data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        try:
            assert read_evidence(home.store, made.spec).to_pylist() == whole
        except IntegrityError:
            refused += 1
    assert refused > 30


def test_what_is_gone_is_not_found(home):
    made = drafted(home)
    publish(home.store, home.keyring, made)
    remove(home.store, made.key)
    with pytest.raises(NotFoundError):
        read_published(home.store, home.keyring, made.serving_id)
    with pytest.raises(ContractError):
        read_published(home.store, home.keyring, "../../etc/passwd")
    assert spec_key("sha256:" + "a" * 64) == f"serving/{'a' * 64}/spec.json"


def test_without_a_winner_there_is_no_spec():
    with empty_home() as home:
        campaign = home.ready(strategies=[{"strategy": BUSTED}], seeds="1")
        home.trials(campaign)
        with pytest.raises(ContractError, match="PROMOTION_NO_WINNER") as caught:
            drafted(home, campaign)
        assert "sharpe" in caught.value.message


@pytest.mark.parametrize("change", [{"set_id": "another"}, {"candidate": 99}])
def test_a_dossier_of_other_trials_than_those_there_are_is_refused(shared, change):
    judged = shared.judged(shared.ready())
    winner = judged.dossier.winner.model_copy(update=change)
    stale = judged.dossier.model_copy(update={"winner": winner})
    digest = judged.stored.content_digest
    with pytest.raises(IntegrityError, match="DOSSIER_OUTDATED"):
        draft(shared.store, shared.database, shared.ready(), stale, digest)


def test_a_damaged_chunk_is_no_evidence(home):
    key = home.trials(home.ready()).chunks.table["object_key"][1].as_py()
    damage(home.store, key)
    with pytest.raises(IntegrityError):
        drafted(home)
    home.trials(home.ready())
    assert drafted(home).evidence.num_rows == 4


def test_a_bound_strategy_has_numbers_in_the_place_of_its_ranges(shared):
    [(spec, _)] = shared.ready().entrants
    bound = bound_strategy(spec, {"fast": 2.0, "slow": 12.0})
    assert dict(bound.params) == {"fast": 2.0, "slow": 12.0}
    assert bound.strategy_hash != spec.strategy_hash
