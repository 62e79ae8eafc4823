"""Served specs from the command line: list, show, promote, sign, roll back, history.

Promotion by hand goes through the same gate as the sensor's; the policy is
``islandflow_resources.promotion``, the transactions ``registry``.
"""

from __future__ import annotations

import json
import secrets

from contracts.errors import ContractError, NotFoundError
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.signing_keys import KEY_BYTES, written


def list_specs(resources: ResourceSet) -> list[str]:
    """Every alias and what it serves, then every published spec."""
    from islandflow_resources.registry import Registry

    registry = Registry(resources.database)
    aliases, specs = registry.aliases(), registry.specs()
    if not specs:
        return ["nothing is published yet"]
    lines = [f"{row.alias} -> {row.serving_id} (revision {row.revision})" for row in aliases]
    return [
        *lines,
        *(f"{row.serving_id} {row.name} {row.promoted_at:%Y-%m-%d %H:%M} UTC" for row in specs),
    ]


def show(resources: ResourceSet, name: str) -> list[str]:
    """A published spec, read only if it is whole, and signed by a key that is trusted."""
    from islandflow_resources.published import read_unsigned
    from islandflow_resources.registry import Registry
    from islandflow_resources.signatures import check_signature

    row = Registry(resources.database).resolve(name)
    store, keyring = resources.store, resources.keyring
    spec, document = read_unsigned(store, row.serving_id)
    signature = check_signature(store, keyring, row.serving_id, document)
    facts = {
        "serving_id": row.serving_id,
        "signed_by": signature.key_id,
        "uri": resources.store.uri(row.object_key),
        "promoted_at": row.promoted_at.isoformat(),
        "actor": row.actor,
        "git_commit": row.git_commit,
        "gate_report": None if row.gate_key is None else resources.store.uri(row.gate_key),
        "spec": spec.document(),
    }
    return json.dumps(facts, indent=2, ensure_ascii=False).splitlines()


def promote(
    resources: ResourceSet,
    name: str,
    *,
    alias: str,
    reason: str,
    is_override: bool,
    is_dry_run: bool,
) -> list[str]:
    """Publish the winner of a finished campaign under an alias.

    Raises
    ------
    ContractError
        ``GATE_REFUSED`` with every criterion that is not met, ``REASON_MISSING``.
    """
    resources.engine_runtime.prepare()
    from islandflow_resources import promotion
    from islandflow_resources.campaigns import registered
    from islandflow_resources.judgement import judged_now
    from islandflow_resources.published import draft
    from islandflow_resources.registry import Registry

    store, database, runtime = resources.store, resources.database, resources.engine_runtime
    campaign = registered(database, name)
    own = campaign.spec.promotion.alias if campaign.spec.promotion else ""
    if not (alias or own):
        said = f"the campaign {campaign.key} names no alias"
        raise ContractError("PROMOTION_NO_ALIAS", said, "--alias", ("add --alias NAME",))
    if is_override and not reason.strip():
        said = "an override of the gate needs a reason"
        raise ContractError("REASON_MISSING", said, "--reason", ("add --reason TEXT",))
    judged = judged_now(store, database, runtime, campaign, "cli")
    decision = promotion.Decision(
        alias or own, promotion.person(), reason or "promoted by hand", is_override, True
    )
    promotion.refuse_unproven(campaign, judged.dossier, decision)
    if is_dry_run:
        made = draft(store, database, campaign, judged.dossier, judged.stored.content_digest)
        now = {row.alias: row.serving_id for row in Registry(database).aliases()}
        if now.get(decision.alias) == made.serving_id:
            return [f"would change nothing: {decision.alias} serves {made.serving_id}"]
        return [f"would publish {made.serving_id} and serve it as {decision.alias}"]
    done = promotion.promote(
        store,
        database,
        runtime,
        resources.keyring,
        campaign,
        judged.dossier,
        judged.stored,
        decision,
    )
    word = "served as" if done.promoted.new else "unchanged, served as"
    return [f"{done.draft.serving_id} {word} {decision.alias}, revision {done.promoted.revision}"]


def sign(resources: ResourceSet, name: str) -> list[str]:
    """Verify the whole chain of a published spec, and then vouch for it with the own key.

    Who did is in the audit log, before the signature is in the store; signed again by the same key,
    nothing changes.

    Raises
    ------
    ConfigurationError
        ``SIGNING_KEY_…``.
    IntegrityError
        ``CHAIN_BROKEN``: nothing is signed.
    """
    resources.engine_runtime.prepare()
    from islandflow_jobs.verify_serving import verify_serving
    from islandflow_resources.models import AuditEntry
    from islandflow_resources.promotion import person
    from islandflow_resources.published import read_unsigned
    from islandflow_resources.registry import Registry
    from islandflow_resources.signatures import key_id, signature_key
    from islandflow_resources.signatures import sign as signed

    store, database, keyring = resources.store, resources.database, resources.keyring
    keyring.private_key()
    serving_id = Registry(database).resolve(name).serving_id
    lines = verify_serving(store, database, resources.engine_runtime, None, serving_id)
    _, document = read_unsigned(store, serving_id)
    by = key_id(keyring.public_key())
    if not store.exists(signature_key(serving_id, by)):
        entry = AuditEntry(actor=person(), action="sign", subject=serving_id, detail={"key_id": by})
        database.record_audit(entry)
    signed(store, keyring, serving_id, document)
    return [*lines, f"signed by {by}"]


def show_key(resources: ResourceSet) -> list[str]:
    """The public key whose signatures are made here, for those who are to trust them."""
    return [written(resources.keyring.public_key())]


def new_key() -> list[str]:
    """A fresh pair of keys as settings; it is kept nowhere."""
    from islandflow_resources.signatures import Keyring

    seed = secrets.token_bytes(KEY_BYTES)
    return [
        f"ISLANDFLOW_SIGNING_KEY={written(seed)}",
        f"ISLANDFLOW_TRUSTED_KEYS={written(Keyring(seed).public_key())}",
    ]


def rollback(resources: ResourceSet, alias: str, *, to: str, reason: str) -> list[str]:
    """Move an alias back to what it served before."""
    from islandflow_resources.promotion import person
    from islandflow_resources.registry import Registry

    registry = Registry(resources.database)
    target = registry.resolve(to).serving_id if to else None
    moved = registry.rollback(alias, to=target, actor=person(), reason=reason)
    return [
        f"{alias} -> {moved.serving_id}, revision {moved.revision}, was {moved.from_serving_id}"
    ]


def history(resources: ResourceSet, alias: str) -> list[str]:
    """Every move of an alias, oldest first.

    Raises
    ------
    NotFoundError
        ``ALIAS_NOT_FOUND``.
    """
    from islandflow_resources.registry import Registry

    moves = Registry(resources.database).history(alias)
    if not moves:
        said = f"there is no alias {alias!r}"
        raise NotFoundError("ALIAS_NOT_FOUND", said, alias, ("see: islandflow serving list",))
    head = ["revision", "at", "action", "from", "to", "actor", "reason"]
    rows = [
        [
            str(one.revision),
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            one.action,
            one.from_serving_id or "-",
            one.to_serving_id,
            one.actor,
            one.reason,
        ]
        for one in moves
    ]
    return ["\t".join(row) for row in (head, *rows)]
