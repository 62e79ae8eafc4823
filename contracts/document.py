"""The base of every document model: strict fields, canonical form, typed errors.

Field types that all documents share live here (`Integer`, `Number`, `Seed`,
`Slug`, `Count`, `TapeId`), and the one place where pydantic's errors become `ContractError`; their
words live in ``problems``. Bytes enter through ``canonical.parse_document``;
hashes live in ``digest``.
"""

from __future__ import annotations

from typing import Annotated, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from contracts.canonical import MAX_SAFE_INTEGER, Document, parse_document
from contracts.errors import ContractError
from contracts.problems import problems
from contracts.seeds import MAX_SEED

_T = TypeVar("_T")


def _decimal(value: object) -> object:
    """Let a canonical decimal string stand for an integer of up to 19 digits."""
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isdigit()
        and len(value) <= 19
        and (value == "0" or value[0] != "0")
    ):
        return int(value)
    return value


Integer = Annotated[int, Field(strict=True, ge=1 - MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER - 1)]
"""Integer below 2⁵³; strings and booleans are not accepted (the parser reads 3.0 as 3)."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""Finite double; integers are accepted, strings and booleans are not."""

Seed = Annotated[
    int,
    Field(strict=True, ge=0, le=MAX_SEED),
    BeforeValidator(_decimal),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
                {"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$"},
            ],
        }
    ),
]
"""0 … 2⁶³ − 1, given as a number or a decimal string, written as a string."""

Nanoseconds = Seed
"""Nanoseconds since 1970-01-01 UTC, written like a seed: beyond 2⁵³ no JSON number is exact."""

Slug = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9_-]{1,64}$")]
"""1–64 of ``a-z0-9_-``: safe in object keys, partition keys and file names."""

Count = Annotated[Integer, Field(ge=0)]
"""How many there are of something, see `Integer`."""

TapeId = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{16}$")]
"""Of a tape or of a detection: the first 16 digits of a recipe's digest."""


def _doubles(value: JsonValue) -> JsonValue:
    """Read the integers from 2⁵³ of a canonical document as the doubles they were."""
    if isinstance(value, dict):
        return {key: _doubles(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_doubles(child) for child in value]
    if isinstance(value, int) and abs(value) >= MAX_SAFE_INTEGER:
        return float(value)
    return value


Embedded = Annotated[dict[str, JsonValue], AfterValidator(_doubles)]
"""A canonical document inside another, kept as it is."""


class Model(BaseModel):
    """Base of every document model: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def document(self) -> Document:
        """Document without the fields equal to their default: what is hashed.

        An optional field added later therefore changes no existing hash.
        """
        return cast(Document, self.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def validate(adapter: TypeAdapter[_T], document: object, what: str) -> _T:
    """Validate a parsed document, or list every problem with its pointer at once.

    Parameters
    ----------
    adapter : TypeAdapter
        Model or union to validate against.
    document : object
        Output of `contracts.canonical.parse_document`.
    what : str
        Noun that begins the codes, e.g. ``"scenario"`` gives ``SCENARIO_…``.

    Raises
    ------
    ContractError
        With one problem per finding.
    """
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        first, *others = problems(error.errors(include_url=False), document, what)
        raise ContractError(
            first.code, first.message, first.loc, first.hints, tuple(others)
        ) from None


def load(adapter: TypeAdapter[_T], data: bytes | str, what: str) -> _T:
    """Parse and validate one document from its bytes, see `validate`."""
    return validate(adapter, parse_document(data, what), what)
