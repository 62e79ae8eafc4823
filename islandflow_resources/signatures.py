"""Signatures of published specs: who vouches for one, and whether that holds.

A signature is an object beside the spec, named by the key that made it, so that the spec's own
bytes and its id depend on no key. It covers the canonical document, and thereby, by their digests,
the evidence, the gate's report and the campaign. Keys as text and files are ``signing_keys``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contracts.canonical import canonical_json, parse_document
from contracts.digest import bare
from contracts.document import validate
from contracts.errors import ConfigurationError, ContractError, IntegrityError, NotFoundError
from contracts.serving import SIGNATURE, SpecSignature
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.settings import Settings
from islandflow_resources.signing_keys import (
    KEY_FILE,
    made_seed,
    public_of,
    seed_of,
    stored_seed,
    written,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DOMAIN: Final = b"islandflow published serving spec v1\0"
"""Stands before every document that is signed: a signature of anything else never fits."""
_MOST_BYTES: Final = 4_096


class Keyring:
    """The key that signs here, and the keys that are trusted.

    Parameters
    ----------
    seed : bytes, optional
        Private key.
    trusted : iterable of bytes
        Public keys that are trusted besides the own one.
    key_file : Path, optional
        Where the private key lies, or is made when it is first needed, if no `seed` is given.
    """

    def __init__(
        self,
        seed: bytes | None = None,
        trusted: Iterable[bytes] = (),
        key_file: Path | None = None,
    ) -> None:
        self._seed = seed
        self._trusted = tuple(trusted)
        self._key_file = key_file

    def __repr__(self) -> str:
        return f"Keyring(trusted={sorted(self.trusted())})"

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        """The keys of a profile; only the embedded one makes a key of its own."""
        trusted = [key for key in map(public_of, settings.trusted_keys) if key is not None]
        own = settings.home / KEY_FILE if settings.profile == "embedded" else None
        return cls(seed_of(settings.signing_key), trusted, own)

    def private_key(self) -> Ed25519PrivateKey:
        """The key that signs.

        Raises
        ------
        ConfigurationError
            ``SIGNING_KEY_MISSING``, or that of ``signing_keys.made_seed``.
        """
        seed = self._seed
        if seed is None and self._key_file is not None:
            seed = made_seed(self._key_file)
        if seed is None:
            raise ConfigurationError(
                "SIGNING_KEY_MISSING",
                "nothing can be published here: there is no key to sign it with",
                "ISLANDFLOW_SIGNING_KEY",
                ("make one with: islandflow serving key --new; and set it",),
            )
        return _private(seed)

    def public_key(self) -> bytes:
        """The public half of the key that signs; errors as `private_key`."""
        return self.private_key().public_key().public_bytes_raw()

    def trusted(self) -> dict[str, bytes]:
        """Public keys by their ids; the own one is among them if it exists."""
        seed = self._seed
        if seed is None and self._key_file is not None:
            seed = stored_seed(self._key_file)
        own = () if seed is None else (_private(seed).public_key().public_bytes_raw(),)
        return {key_id(key): key for key in (*own, *self._trusted)}


def key_id(public: bytes) -> str:
    """Sixteen digits that name a public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def signature_key(serving_id: str, by: str) -> str:
    """Object key of the signature of a spec by a key."""
    return f"{_beside(serving_id)}{by}.json"


def sign(store: ObjectStore, keyring: Keyring, serving_id: str, document: bytes) -> SpecSignature:
    """Sign a published document and store that; signed again, nothing changes.

    Parameters
    ----------
    document : bytes
        Canonical, without the line feed that ends the object.

    Raises
    ------
    ConfigurationError
        As `Keyring.private_key`.
    """
    private = keyring.private_key()
    by = key_id(private.public_key().public_bytes_raw())
    made = SpecSignature(
        version="0.1",
        algorithm="ed25519",
        serving_id=serving_id,
        key_id=by,
        signature=written(private.sign(DOMAIN + document)),
    )
    store.put_exact(signature_key(serving_id, by), canonical_json(made.document()) + b"\n")
    return made


def check_signature(
    store: ObjectStore, keyring: Keyring, serving_id: str, document: bytes
) -> SpecSignature:
    """The signature by which a published document is trusted.

    Raises
    ------
    IntegrityError
        ``SERVING_UNSIGNED`` if nobody has signed it, ``SERVING_SIGNER_UNKNOWN`` if nobody who is
        trusted, ``SERVING_SIGNATURE_WRONG`` if a trusted key's signature does not fit.
    """
    wrong: list[str] = []
    for by, public in keyring.trusted().items():
        key = signature_key(serving_id, by)
        try:
            data = store.get(key)
        except NotFoundError:
            continue
        found = _fitting(data, public, serving_id, by, document)
        if found is not None:
            return found
        wrong.append(key)
    if wrong:
        hint = "roll the alias back, and look who can write to the store"
        raise _refused("SERVING_SIGNATURE_WRONG", serving_id, f"{wrong[0]} does not fit it", hint)
    others = store.keys(_beside(serving_id))
    if others:
        said = f"none of its {len(others)} signatures is by a key that is trusted here"
        hint = "add the signer's public key to ISLANDFLOW_TRUSTED_KEYS, if you trust it"
        raise _refused("SERVING_SIGNER_UNKNOWN", serving_id, said, hint)
    hint = f"verify and sign it where the signing key is: islandflow serving sign {serving_id}"
    raise _refused("SERVING_UNSIGNED", serving_id, "it is not signed", hint)


def _fitting(
    data: bytes, public: bytes, serving_id: str, by: str, document: bytes
) -> SpecSignature | None:
    """A stored signature, if it is one, of this spec, by this key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        told = validate(SIGNATURE, parse_document(data, "signature", _MOST_BYTES), "signature")
    except ContractError:
        return None
    if (told.serving_id, told.key_id) != (serving_id, by):
        return None
    try:
        # Of base64 that reads otherwise nothing is left that could fit.
        Ed25519PublicKey.from_public_bytes(public).verify(told.raw, DOMAIN + document)
    except (InvalidSignature, ValueError):
        return None
    return told


def _private(seed: bytes) -> Ed25519PrivateKey:
    # Imported here: most commands sign nothing.
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


def _beside(serving_id: str) -> str:
    return f"serving/{bare(serving_id)}/signature-"


def _refused(code: str, serving_id: str, said: str, hint: str) -> IntegrityError:
    return IntegrityError(code, f"cannot trust {serving_id}: {said}", serving_id, (hint,))
