"""Streams under stress: restarts, clients that stall, engines that fail, many clients at once."""

import asyncio
import json
import socket
import threading
import time

import pyarrow as pa
import pytest

from islandflow_jobs.serve.app import Serving
from islandflow_jobs.serve.feeds import Feed, Pace
from islandflow_resources.stream_clocks import StreamClock, clock_path
from tests.islandflow_jobs.serve.published import ALIAS, make_home, publish, published
from tests.islandflow_jobs.serve.served import FAST, PATIENCE_S, connected, read, serving, take

QUERY = f"?serving={ALIAS}"
HELLO = '{"type":"hello"}'


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("feeds") / "home")


@pytest.fixture(autouse=True)
def _at_the_beginning(home):
    """Every test begins its stream."""
    clock_path(home.path, home.spec.serving_id).unlink(missing_ok=True)


def wait_for(holds):
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def table(stream):
    return pa.Table.from_batches(stream.rows)


@pytest.fixture(scope="module")
def whole(home):
    with serving(home.resources, Serving(pace=Pace(speed=1000.0))) as address:
        return take(address, QUERY)


def test_a_restarted_server_lets_a_client_go_on_without_a_gap(home, whole):
    how = Serving(pace=Pace(speed=20.0))
    with serving(home.resources, how) as address, connected(address, QUERY) as client:
        client.send(HELLO)
        first = read(client, bins=10)
    with serving(home.resources, Serving(pace=Pace(speed=20.0))) as address:
        resumed = take(address, QUERY, resume_bin=first.numbers[-1] + 1)
    assert [*first.numbers, *resumed.numbers] == whole.numbers
    both = pa.concat_tables([table(first).slice(0, len(first.numbers) * 9), table(resumed)])
    assert both.equals(table(whole).combine_chunks())
    assert [*first.updates, *resumed.updates] == whole.updates
    starts = {one.config["stream"]["started_at_ns"] for one in (first, resumed)}
    assert len(starts) == 1


def test_the_end_of_a_server_is_told_to_its_clients(home):
    found = []
    with serving(home.resources, Serving(pace=Pace())) as address:
        reader = threading.Thread(target=lambda: found.append(take(address, QUERY)))
        reader.start()
        wait_for(lambda: metric(address, "islandflow_clients") == 1)
    reader.join(PATIENCE_S)
    assert found[0].code == 1012


def test_bins_that_are_no_longer_kept_are_refused_with_those_that_are(home):
    with serving(home.resources, Serving(pace=Pace(speed=40.0, keep_bins=8))) as address:
        with connected(address, QUERY) as client:
            client.send(HELLO)
            read(client, bins=30)
        late = take(address, QUERY, resume_bin=2)
    assert late.code == 1008
    assert "RESUME_BIN_GONE" in late.reason
    oldest = int(late.last["message"].split("no longer kept: ")[1].split(" ")[0])
    assert oldest >= 22


def test_a_stream_nobody_takes_goes_on_by_the_clock(home, whole):
    with serving(home.resources, Serving(pace=Pace(speed=10.0))) as address:
        take(address, QUERY, bins=3)
        time.sleep(0.5)
        later = take(address, QUERY, bins=2)
    assert later.numbers[0] >= 20
    assert later.updates[:2] == whole.updates[later.numbers[0] :][:2]


def stalled(address):
    """A client that says hello and then reads nothing, with little room to hold what comes."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", address.port))
    path = address.stream(QUERY).split(str(address.port))[1]
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    )
    masked = b"\x81" + bytes([0x80 | len(HELLO)]) + b"\0\0\0\0" + HELLO.encode()
    raw.sendall(request.encode())
    assert raw.recv(12) == b"HTTP/1.1 101"
    raw.sendall(masked)
    return raw


def metric(address, name):
    from urllib.request import urlopen

    with urlopen(f"{address.http}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def test_a_stalled_client_is_dropped_and_disturbs_no_other(home, whole):
    how = Serving(pace=Pace(speed=20.0, queue_bins=4))
    with serving(home.resources, how, send_buffer_bytes=8192) as address:
        found = []
        reader = threading.Thread(target=lambda: found.append(take(address, QUERY)))
        reader.start()
        raw = stalled(address)
        wait_for(lambda: metric(address, "islandflow_clients") == 2)
        reader.join(PATIENCE_S)
        wait_for(lambda: metric(address, "islandflow_clients") == 0)
        dropped = metric(address, "islandflow_clients_dropped_total")
        assert metric(address, "islandflow_clients") == 0
        raw.settimeout(PATIENCE_S)
        rest = b""
        while piece := raw.recv(1 << 16):
            rest += piece
        raw.close()
    assert dropped == 1
    assert b"too slow" in rest[-200:]
    assert found[0].numbers == whole.numbers
    assert table(found[0]).equals(table(whole))


def test_many_clients_of_one_spec_share_one_engine_and_get_the_same(home, whole):
    with serving(home.resources, Serving(pace=FAST)) as address:
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(take(address, QUERY))) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert metric(address, "islandflow_streams") == 1
        made = metric(address, "islandflow_bins_made_total")
    assert len(found) == 12
    assert made == len(whole.numbers)
    for one in found:
        assert one.updates == whole.updates[one.numbers[0] :]


def test_what_stops_the_engine_is_told_to_the_clients(home, monkeypatch):
    from contracts.errors import ContractError
    from islandflow_resources.signal_streams import SignalStream

    advance = SignalStream.advance

    def failing(self, last, keep):
        if last > 5:
            raise ContractError("TIME_JUMPS", "the events cannot be cut into bins", "row 7")
        return advance(self, last, keep)

    monkeypatch.setattr(SignalStream, "advance", failing)
    with serving(home.resources, Serving(pace=Pace(speed=5.0))) as address:
        found = take(address, QUERY)
        assert metric(address, "islandflow_engine_failures_total") == 1
        monkeypatch.undo()
        assert take(address, QUERY, bins=8).numbers[:2]
    assert (found.code, found.last["type"]) == (1011, "error")
    assert "TIME_JUMPS" in found.last["message"]


def test_times_of_every_bin_are_written_with_a_summary(home, tmp_path):
    path = tmp_path / "latency.jsonl"
    stream = home.spec.stream
    publish(home.resources, published(home.spec.runtime_snapshot, stream, name="again"), "again")
    with serving(home.resources, Serving(pace=FAST, latency_file=path)) as address:
        for name in (ALIAS, ALIAS):
            bins = take(address, f"?serving={name}").last["bins"]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    times = [line for line in lines if "bin" in line]
    numbers = [line["bin"] for line in times]
    # Bins that were due before the client had joined were handed to nobody.
    assert numbers[:110] == list(range(numbers[0], numbers[0] + 110))
    assert 200 <= len(numbers) <= 2 * bins
    assert all(line["total_us"] >= line["ready_us"] >= 0 for line in times)
    [summary] = [line["summary"] for line in lines if "summary" in line]
    total = sorted(line["total_us"] for line in times[:200])
    assert summary["total_us"]["p50"] == total[99]
    assert summary["total_us"]["max"] == total[-1]


def test_a_client_that_leaves_is_counted_no_more(home):
    with serving(home.resources, Serving(pace=Pace())) as address:
        with connected(address, QUERY) as client:
            client.send(HELLO)
            client.recv(PATIENCE_S)
            wait_for(lambda: metric(address, "islandflow_clients") == 1)
        wait_for(lambda: metric(address, "islandflow_clients") == 0)
        assert metric(address, "islandflow_clients_dropped_total") == 0


def test_a_wait_for_a_bin_ends_soon_enough_to_hear_that_the_clock_was_set():
    feed = object.__new__(Feed)
    an_hour_ahead_ns = time.time_ns() + 3_600 * 1_000_000_000
    feed._clock, feed._next = StreamClock(an_hour_ahead_ns, 1.0, 1_000_000), 0
    started_s = time.monotonic()
    asyncio.run(feed._sleep_until_due())
    assert 0.5 < time.monotonic() - started_s < 10.0
