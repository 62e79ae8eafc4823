"""Labels of the catalogue's scenarios, once the events of a tape are known.

A scenario is found in a tape by the id of its injection, whatever else the tape holds; what
is said of it is ``contracts.tape_expectations``. Who writes the documents is ``tape_folder``.
"""

from __future__ import annotations

from contracts.errors import ContractError
from contracts.labels import EventRef, ExpectedOutputs, GroundTruthLabels
from contracts.tape import trace_id
from contracts.tape_catalogue import SCENARIO_IDS, scenario
from contracts.tape_columns import INJECTED
from contracts.tape_expectations import ground_truth
from islandflow_resources.tape_folder import InjectedPrint, Truth
from islandflow_resources.tape_inputs import TapeInputs


def require_scenario(inputs: TapeInputs) -> None:
    """Refuse inputs whose market does not hold the scenario that they are made for.

    Raises
    ------
    ContractError
        ``TAPE_SCENARIO_UNKNOWN`` or ``TAPE_SCENARIO_MISSING``.
    """
    wanted = inputs.scenario_id
    if wanted is None or scenario(wanted).id in _held(inputs).values():
        return
    raise _missing(
        f"the profile {inputs.profile.id} puts no {wanted} into its market",
        f"take the catalogue's profile: islandflow tape catalogue {wanted}",
    )


def catalogue_truth(inputs: TapeInputs, truth: Truth) -> tuple[GroundTruthLabels, ExpectedOutputs]:
    """Labels and expected outputs of every scenario that printed, see ``Catalogue``.

    Raises
    ------
    ContractError
        ``TAPE_SCENARIO_UNKNOWN``, or ``TAPE_SCENARIO_MISSING`` if the scenario that the tape
        is made for did not print.
    """
    require_scenario(inputs)
    held = _held(inputs)
    printed: dict[str, list[EventRef]] = {}
    for one in sorted(truth.injected, key=lambda it: (it.burst_id, it.seq)):
        name = held.get(one.burst_id)
        if name is not None:
            refs = printed.setdefault(name, [])
            refs.append(_ref(one, len(refs)))
    wanted = inputs.scenario_id
    if wanted is None or wanted in printed:
        return ground_truth(inputs.run_id, inputs.tape_id, printed)
    raise _missing(
        f"{wanted} did not print within the tape",
        f"take its seed and its whole time: islandflow tape catalogue {wanted} --seed-bundle",
    )


def _held(inputs: TapeInputs) -> dict[int, str]:
    """Scenarios that the tape's injections are, by the ids of their bursts."""
    return {
        INJECTED + 1 + index: one.id
        for index, one in enumerate(inputs.spec.injections)
        if one.id in SCENARIO_IDS and not one.is_decoy and one.subtype == scenario(one.id).subtype
    }


def _ref(printed: InjectedPrint, place: int) -> EventRef:
    return EventRef.model_validate(
        {
            "role": "supporting" if place else "anchor",
            "event_kind": printed.stream,
            "event_id": trace_id(printed.stream, printed.seq),
            "source_ts_ns": printed.ts_ns,
            "seq": printed.seq,
            "description": f"print {place + 1} of the injection",
        }
    )


def _missing(said: str, hint: str) -> ContractError:
    return ContractError("TAPE_SCENARIO_MISSING", said, "/scenario_id", (hint,))
