"""What a client of the socket may say: one query key, and one first message.

Everything else is refused with a sentence. Who is allowed to connect is ``access``; what an
accepted client is sent, ``feeds``.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl

from pydantic import Field, TypeAdapter

from contracts.document import Integer, Model, load
from contracts.errors import ContractError

PARAMETER: Final = "serving"
MAX_HELLO_BYTES: Final = 4_096
_NAME: Final = re.compile(r"[a-z0-9_:-]{1,80}")
_HINT: Final = "write ?serving=ALIAS_OR_ID and nothing else: a stream is what was published"


class Hello(Model):
    """The first message of a client.

    Attributes
    ----------
    resume_bin : int, optional
        The bin to go on from.
    token : str, optional
        Where the server asks for one.
    """

    type: Literal["hello"]
    resume_bin: Annotated[Integer, Field(ge=0)] | None = None
    token: Annotated[str, Field(strict=True, max_length=1_024)] | None = None


_HELLO: Final[TypeAdapter[Hello]] = TypeAdapter(Hello)


def asked_name(query: bytes) -> str:
    """The alias or id that a query string asks for.

    Raises
    ------
    ContractError
        ``STREAM_QUERY_INVALID`` for anything but one ``serving``; ``SERVING_NAME_INVALID``.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            max_num_fields=8,
            errors="strict",
        )
    except ValueError:
        raise _refused("the query does not read") from None
    others = sorted({name for name, _ in pairs} - {PARAMETER})
    if others:
        raise _refused(f"a stream takes no {', '.join(name[:40] for name in others)!r}")
    if len(pairs) != 1:
        said = "no serving is named" if not pairs else f"{PARAMETER} is given {len(pairs)} times"
        raise _refused(said)
    [(_, name)] = pairs
    if _NAME.fullmatch(name):
        return name
    raise ContractError(
        "SERVING_NAME_INVALID",
        f"{name[:80]!r} is no name of a published spec",
        PARAMETER,
        ("write an alias or a serving id",),
    )


def hello_of(message: str | bytes) -> Hello:
    """The first message of a client, read.

    Raises
    ------
    ContractError
        ``HELLO_…`` with what is wrong.
    """
    if isinstance(message, bytes):
        raise _no_hello("the first message is binary")
    size = len(message.encode("utf-8", "replace"))
    if size > MAX_HELLO_BYTES:
        raise _no_hello(f"the first message has {size} bytes, more than {MAX_HELLO_BYTES}")
    return load(_HELLO, message, "hello")


def _refused(what: str) -> ContractError:
    return ContractError("STREAM_QUERY_INVALID", what, "query", (_HINT,))


def _no_hello(what: str) -> ContractError:
    return ContractError("HELLO_INVALID", what, "hello", ('send {"type": "hello"} as text',))
