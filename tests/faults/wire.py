"""A wire between islandflow and a server that loses, cuts, delays and lies, as often as was drawn.

A `Wire` is a port on loopback behind which every connection is passed on by a thread, byte by byte
unmodified, since S3 signs what is sent. It reads just as much of the protocol as tells where a
request ends: ``http`` for the object store, ``postgres`` for the database. What happens to which
request is drawn by `Faults` from a seed and the request itself, not from when it comes, so that
threads cannot change it; and only so often for each request that attempts which follow win.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 4096
PAUSE_S = 0.02
Talk = Callable[["Line", "Faults"], None]


class CutError(Exception):
    """The connection is broken on purpose."""


@dataclass
class Faults:
    """What goes wrong, drawn from a seed.

    Attributes
    ----------
    seed : int
    kinds : sequence of str
        Of those that the protocol knows.
    share : float
        Of the requests that something happens to.
    most : int
        Faults of one request or transaction, however often it is tried again.
    is_lasting : bool
        What was drawn for a request holds for all its attempts.
    done : Counter
        Faults that happened, by kind.
    """

    seed: int
    kinds: Sequence[str]
    share: float = 0.3
    most: int = 2
    is_lasting: bool = False
    done: Counter[str] = field(default_factory=Counter[str])
    _seen: Counter[str] = field(default_factory=Counter[str])
    _hit: Counter[str] = field(default_factory=Counter[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, request: str, possible: Sequence[str], whole: str = "") -> str:
        """What happens to a request now, of what is possible; empty for nothing.

        A request that is a part of a `whole` is tried again with it: faults of that are counted.
        """
        whole = whole or request
        kinds = [kind for kind in self.kinds if kind in possible]
        with self._lock:
            self._seen[request] += 1
            attempt = 0 if self.is_lasting else self._seen[request]
            chance = random.Random(f"{self.seed} {request} {attempt}")
            if not kinds or self._hit[whole] >= self.most or chance.random() >= self.share:
                return ""
            kind = chance.choice(kinds)
            self._hit[whole] += 1
            self.done[kind] += 1
            return kind

    @property
    def told(self) -> str:
        """Faults that happened, for a table."""
        return ", ".join(f"{number} × {kind}" for kind, number in sorted(self.done.items()))

    @property
    def total(self) -> int:
        """Faults that happened."""
        return sum(self.done.values())


class Line:
    """One connection: the client's side, and the server's."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.asked, self.answered = client.makefile("rb"), server.makefile("rb")

    def close(self) -> None:
        """Break off both sides."""
        for one in (self.client, self.server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for one in (self.asked, self.answered, self.client, self.server):
            one.close()


class Wire:
    """A port behind which a server is reached through `faults`."""

    def __init__(self, port: int, talk: Talk, faults: Faults) -> None:
        self._behind, self._talk, self.faults = port, talk, faults
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listening.getsockname()[1]
        self._lines: list[Line] = []
        self._threads: list[threading.Thread] = []

    def serve(self) -> None:
        """Take connections until `close`."""
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._behind))
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(client, server)
            self._lines.append(line)
            self._start(lambda line=line: self._pass_on(line))

    def close(self) -> None:
        """End every connection, and take no more."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for line in self._lines:
            for one in (line.client, line.server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _pass_on(self, line: Line) -> None:
        try:
            self._talk(line, self.faults)
        except (CutError, OSError, EOFError, ValueError):
            pass  # a file of a socket that was closed raises ValueError
        finally:
            line.close()

    def _start(self, what: Callable[[], None]) -> None:
        thread = threading.Thread(target=what, daemon=True)
        self._threads.append(thread)
        thread.start()


@contextmanager
def wired(port: int, talk: Talk, faults: Faults) -> Iterator[Wire]:
    """A wire to the server at a port of loopback, for as long as the block runs."""
    wire = Wire(port, talk, faults)
    accepting = threading.Thread(target=wire.serve, daemon=True)
    accepting.start()
    try:
        yield wire
    finally:
        wire.close()
        accepting.join(10)


# HTTP, as far as a store speaks it.

S3_KINDS = ("500", "503", "late 500", "no answer", "cut upload", "cut download", "slow")
FULL = "507"
_TELLS = {
    "500": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Slow Down", "SlowDown"),
    FULL: ("507 Insufficient Storage", "XMinioStorageFull"),
}


def http(line: Line, faults: Faults) -> None:
    """Pass requests on, one after another."""
    while head := _head(line.asked):
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        size = int(_field(head, b"content-length") or 0)
        assert not _field(head, b"transfer-encoding"), "uploads in chunks are not known here"
        possible = ["500", "503", FULL, "late 500", "no answer", "slow"]
        possible += ["cut upload"] if method == "PUT" and size > 1 else []
        possible += ["cut download"] if method == "GET" else []
        if method != "PUT":
            possible.remove(FULL)
        # Names of buckets differ from run to run, those of objects do not.
        place = target.split("?")[0].split("/", 2)[-1]
        _pass_request(line, head, method, size, faults.of(f"{method} {place}", possible))


def _pass_request(line: Line, head: bytes, method: str, size: int, fault: str) -> None:
    waits = b"100-continue" in _field(head, b"expect").lower()
    if fault in _TELLS:
        if not waits:
            line.asked.read(size)
        _answer(line, *_TELLS[fault])
    line.server.sendall(head)
    answer = b""
    if waits:
        answer = _head(line.answered)
        if b" 100 " in answer.split(b"\r\n", 1)[0]:
            line.client.sendall(answer)
            answer = b""
        else:
            size = 0
    keeps = size // 2 if fault == "cut upload" else size
    _copy(line.asked, line.server, keeps, fault)
    if keeps < size:
        raise CutError
    answer = answer or _head(line.answered)
    if fault == "no answer":
        raise CutError
    if fault == "late 500":
        _answer(line, *_TELLS["500"])
    line.client.sendall(answer)
    _pass_body(line, method, answer, fault)
    if waits and not size:
        raise CutError  # who has not sent the body will not use the connection again


def _pass_body(line: Line, method: str, head: bytes, fault: str) -> None:
    status = int(head.split(b" ", 2)[1])
    if method == "HEAD" or status in (204, 304):
        return
    if b"chunked" in _field(head, b"transfer-encoding").lower():
        _pass_chunks(line, fault)
        return
    size = int(_field(head, b"content-length") or 0)
    if fault == "cut download":
        _copy(line.answered, line.client, size // 2, fault)
        raise CutError
    _copy(line.answered, line.client, size, fault)


def _pass_chunks(line: Line, fault: str) -> None:
    while True:
        said = line.answered.readline()
        size = int(said.split(b";")[0], 16)
        line.client.sendall(said)
        _copy(line.answered, line.client, size, fault)
        line.client.sendall(line.answered.readline())
        if size == 0:
            return
        if fault == "cut download":
            raise CutError


def _answer(line: Line, status: str, code: str) -> None:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>drawn</Message></Error>"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    line.client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    raise CutError


def _head(reader: object) -> bytes:
    """Head of a message with its blank line; empty at the end of the connection."""
    lines: list[bytes] = []
    while True:
        one = reader.readline()  # type: ignore[attr-defined]
        if not one:
            return b""
        lines.append(one)
        if one in (b"\r\n", b"\n"):
            return b"".join(lines)


def _field(head: bytes, name: bytes) -> bytes:
    for one in head.split(b"\r\n")[1:]:
        key, _, value = one.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


def _copy(reader: object, target: socket.socket, size: int, fault: str) -> None:
    while size:
        data: bytes = reader.read(min(size, CHUNK_BYTES))  # type: ignore[attr-defined]
        if not data:
            raise EOFError
        if fault == "slow":
            time.sleep(PAUSE_S)
        target.sendall(data)
        size -= len(data)


# PostgreSQL, as far as a registry speaks it.

POSTGRES_KINDS = ("cut before", "cut after", "slow")
_SSL, _GSS = 80877103, 80877104


def postgres(line: Line, faults: Faults) -> None:
    """Pass statements on; ``cut after`` lets the server do one, and loses its answer."""
    _open_session(line)
    muted, ready = threading.Event(), threading.Event()
    pump = threading.Thread(target=lambda: _pump(line, muted, ready), daemon=True)
    pump.start()
    names: dict[bytes, str] = {}
    whole, fault, begun = "", "", False
    while True:
        kind, message = _message(line.asked)
        if kind in b"QPB" and not begun:
            text = _statement(kind, message, names)
            begun, ends = True, text.upper().startswith(("COMMIT", "ROLLBACK"))
            if text.upper().startswith("BEGIN"):
                whole, fault = "", ""
            else:
                # A transaction is known by what it begins with, and repeated whole.
                whole = whole or text
                fault = faults.of(f"{whole}; {text}", POSTGRES_KINDS, whole)
            whole = "" if ends else whole
            if fault == "cut before":
                raise CutError
            if fault == "slow":
                time.sleep(PAUSE_S)
            if fault == "cut after":
                ready.clear()
                muted.set()
        line.server.sendall(kind + message)
        if kind in b"QS":
            begun = False
            if fault == "cut after":
                ready.wait(10)
                raise CutError


def _open_session(line: Line) -> None:
    """Pass the first messages on, which have no kind, up to the one that logs in."""
    while True:
        message = _exactly(line.asked, 4)
        message += _exactly(line.asked, struct.unpack("!I", message)[0] - 4)
        line.server.sendall(message)
        if struct.unpack("!I", message[4:8])[0] not in (_SSL, _GSS):
            return
        line.client.sendall(_exactly(line.answered, 1))


def _pump(line: Line, muted: threading.Event, ready: threading.Event) -> None:
    """Pass on what the server says, or swallow it and tell when it is ready for the next."""
    with suppress(OSError, EOFError, ValueError):
        while True:
            kind, message = _message(line.answered)
            if not muted.is_set():
                line.client.sendall(kind + message)
            elif kind == b"Z":
                ready.set()
    with suppress(OSError):
        line.client.shutdown(socket.SHUT_RDWR)


def _message(reader: object) -> tuple[bytes, bytes]:
    """Kind of a message, and its length with its text."""
    kind, size = _exactly(reader, 1), _exactly(reader, 4)
    return kind, size + _exactly(reader, struct.unpack("!I", size)[0] - 4)


def _exactly(reader: object, size: int) -> bytes:
    data: bytes = reader.read(size)  # type: ignore[attr-defined]
    if len(data) < size:
        raise EOFError
    return data


def _statement(kind: bytes, message: bytes, names: dict[bytes, str]) -> str:
    """Text of the statement that a message sends, or refers to by its name."""
    parts = message[4:].split(b"\0")
    if kind == b"B":
        return names.get(parts[1], "")
    text = " ".join(parts[0 if kind == b"Q" else 1].decode("utf-8", "replace").split())[:120]
    if kind == b"P":
        names[parts[0]] = text
    return text
