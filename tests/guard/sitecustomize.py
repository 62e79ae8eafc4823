"""Refuses every connection and name lookup off this machine, in the process that loads it.

conftest.py loads it into the test session and puts this folder on PYTHONPATH, so that Python itself
loads it, as ``sitecustomize``, into every Python child the tests start. It sees what goes through
Python's sockets; compiled clients (libpq, Arrow) bring sockets of their own and are not seen.
"""

import functools
import ipaddress
import socket
import sys

_INSTALLED = "_islandflow_loopback_only"
_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})
_ANY_INTERFACE = frozenset({"", "0.0.0.0", "::", "<broadcast>"})
_ADDRESSED = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_RESOLVED = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})


class OffLoopbackError(RuntimeError):
    """A test tried to leave the machine. No OSError, which a client would retry or swallow."""


def is_loopback(host: str | bytes | None) -> bool:
    """Whether `host`, a name or a literal address, is certainly this machine."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else (host or "")
    if name.lower() in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _host_of(event, arguments):
    """The host an audited socket call is about; None when it is about no host of the internet."""
    if event in _ADDRESSED:
        sock, address = arguments[0], arguments[-1]
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or not address:
            return None
        return address[0]
    host = arguments[0]
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    # A server resolves "any interface" before it binds; connecting to it is judged by its address.
    return None if host is None or host in _ANY_INTERFACE else host


def _refuse_off_loopback(event, arguments):
    if event not in _ADDRESSED and event not in _RESOLVED:
        return
    host = _host_of(event, arguments)
    if host is None or is_loopback(host):
        return
    raise OffLoopbackError(
        f"{event} to {host!r} refused: tests stay on this machine; "
        "start a server on 127.0.0.1 (tests/servers.py) or give the client a loopback endpoint"
    )


def _judge_first(method):
    """`method` of a socket, judging its address first: C looks a name up before it is audited."""

    @functools.wraps(method)
    def judged(sock, *arguments):
        _refuse_off_loopback("socket.connect", (sock, *arguments))
        return method(sock, *arguments)

    return judged


def install():
    """Refuse from now on, for the life of the process: an audit hook cannot be removed."""
    if hasattr(sys, _INSTALLED):
        return
    setattr(sys, _INSTALLED, True)
    sys.addaudithook(_refuse_off_loopback)
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, _judge_first(getattr(socket.socket, name)))


if __name__ == "sitecustomize":
    # A test worker is such a child and imports this by its own name: one module, one error class.
    sys.modules["tests.guard.sitecustomize"] = sys.modules[__name__]
    install()
