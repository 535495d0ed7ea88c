"""`history --confirm`: both releases of a finding measured again, interleaved, before anybody is alarmed."""

from __future__ import annotations

from harness.answers.comparison import Comparison
from harness.answers.confirmation import KIND, Confirmations, Recheck, Sides
from harness.answers.history import Check
from harness.answers.judging import compare_in_run
from harness.commands.shared.session import measure_request
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.planning.own_models import Called, split_models
from harness.planning.request import Request
from harness.verdict.looks import PLANNED


def measure_again(confirmations: Confirmations) -> tuple[Check, ...]:
    """Measure what nothing has settled yet, and return what is known of each finding then.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    failed: dict[Sides, str] = {}
    measured: dict[Sides, Comparison] = {}
    for recheck in confirmations.open_rechecks():
        sides = recheck.sides
        try:
            request = _request(confirmations, recheck)
            outcome = measure_request(request, KIND, Limits(budget_s=confirmations.budget_s), PLANNED)
            if not outcome.interrupted:
                measured[sides] = compare_in_run(outcome.run, sides.old, sides.new)
        except UsageError as error:
            failed[sides] = str(error)
            continue
        if outcome.interrupted:
            raise KeyboardInterrupt
    return confirmations.checks(failed, measured)


def _request(confirmations: Confirmations, recheck: Recheck) -> Request:
    """Return what `Recheck.words` asks for."""
    sides = recheck.sides
    models, own = split_models(confirmations.root, ",".join(recheck.models), Called())
    return Request(
        root=confirmations.root,
        subjects=(sides.old, sides.new),
        preset=recheck.preset,
        devices=recheck.devices,
        models=models,
        own=own,
        operations=recheck.operations,
        budget_s=confirmations.budget_s,
        wheel="auto" if sides.wheel == "-" else sides.wheel,
        policy=None if sides.policy == "-" else sides.policy,
        python=None if sides.python == "-" else sides.python,
        machine=sides.machine,
        margins=[(None, confirmations.margin)],
    )
