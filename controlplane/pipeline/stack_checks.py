"""What may be asked of a stack as it stands: refusals with the way forward."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from benchline.errors import (
    ConflictError,
    InvalidRequestError,
    NotPermittedError,
    NotReadyError,
)
from benchline.names import DEVICE_ID
from controlplane.domain.stack import (
    OperationKind,
    Plan,
    PlanState,
    Setting,
    Stack,
    Target,
)
from controlplane.planning.provisioning import (
    LEAST_DIGEST,
    NUMBER_SETTINGS,
    SETTINGS,
    SWITCH_SETTINGS,
    has_expired,
    is_busy,
    is_digest_of,
    is_empty,
    open_plan,
)

MOST_DEVICES = 1_000
_LONGEST_VALUE = 1_024


def check_devices(devices: Iterable[str]) -> tuple[str, ...]:
    """Device ids, sorted and each once.

    Raises:
        InvalidRequestError: INVALID_DEVICE_ID, TOO_MANY_DEVICES.
    """
    wanted = tuple(sorted(set(devices)))
    for device in wanted:
        if not DEVICE_ID.fullmatch(device):
            raise InvalidRequestError(
                "INVALID_DEVICE_ID",
                f"{device[:80]!r} is no device id: use 1 to 63 small letters, digits and '-',"
                " beginning with a letter or a digit",
                device=device[:80],
            )
    if len(wanted) > MOST_DEVICES:
        raise InvalidRequestError(
            "TOO_MANY_DEVICES", f"a stack has at most {MOST_DEVICES} devices, not {len(wanted)}"
        )
    return wanted


def check_settings(target: Target, settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """Settings that the target has; of one that is given twice the last value, none if it is "".

    Raises:
        InvalidRequestError: UNKNOWN_SETTING, INVALID_SETTING.
    """
    known = SETTINGS[target]
    for setting in settings:
        if setting.name not in known:
            raise InvalidRequestError(
                "UNKNOWN_SETTING",
                f"target {target} has no setting {setting.name[:60]!r}; it has {', '.join(known)}",
                setting=setting.name[:60],
            )
        problem = _problem(setting)
        if problem:
            raise InvalidRequestError(
                "INVALID_SETTING", f"{setting.name} {problem}", setting=setting.name
            )
    last = {setting.name: setting for setting in settings}
    return tuple(last[name] for name in known if name in last and last[name].value)


def _problem(setting: Setting) -> str:
    """What is wrong with a value; "" is the default, and never wrong."""
    value = setting.value
    if setting.name in NUMBER_SETTINGS and value:
        least, most = NUMBER_SETTINGS[setting.name]
        number = int(value[:6]) if value.isascii() and value.isdecimal() else -1
        right = least <= number <= most
        return "" if right else f"is a number from {least} to {most}, not {value[:20]!r}"
    if setting.name in SWITCH_SETTINGS and value not in ("", "true", "false"):
        return f"is true or false, not {value[:20]!r}"
    if len(value) > _LONGEST_VALUE:
        return f"has at most {_LONGEST_VALUE} characters"
    return ""


def check_idle(stack: Stack) -> None:
    """Whether nothing runs on the stack.

    Raises:
        NotReadyError: STACK_BUSY.
    """
    running = stack.operation
    if is_busy(stack) and running is not None:
        raise NotReadyError(
            "STACK_BUSY",
            f"{stack.name} is busy with {running.kind.lower()} {running.operation_id};"
            " wait for its end, or cancel it",
            stack=stack.name,
            operation=running.operation_id,
        )


def check_may_begin(stack: Stack, kind: OperationKind, now: datetime) -> None:
    """Whether an operation may begin.

    Raises:
        NotReadyError: STACK_BUSY, STACK_EMPTY, PLAN_NOT_APPROVED, PLAN_EXPIRED.
    """
    check_idle(stack)
    if kind is OperationKind.DRIFT and is_empty(stack):
        raise NotReadyError(
            "STACK_EMPTY", f"{stack.name} holds nothing; plan and apply it first", stack=stack.name
        )
    if kind not in (OperationKind.APPLY, OperationKind.DESTROY):
        return
    plan = open_plan(stack)
    if plan is None or plan.state is not PlanState.APPROVED:
        way = "make a plan first"
        if plan is not None:
            way = f"approve {plan.digest[:LEAST_DIGEST]} first"
        raise NotReadyError(
            "PLAN_NOT_APPROVED", f"{stack.name} has no approved plan; {way}", stack=stack.name
        )
    check_fresh(plan, now)


def check_fresh(plan: Plan, now: datetime) -> None:
    """Whether a plan may still be decided or applied.

    Raises:
        NotReadyError: PLAN_EXPIRED.
    """
    if has_expired(plan, now):
        raise NotReadyError(
            "PLAN_EXPIRED",
            f"the plan {plan.digest[:LEAST_DIGEST]} expired at"
            f" {plan.expire_time:%Y-%m-%d %H:%M:%S} UTC; make a new one",
            digest=plan.digest,
        )


def plan_to_decide(stack: Stack, digest: str) -> Plan:
    """The open plan, if the digest is its.

    Raises:
        NotReadyError: STACK_BUSY, NO_PLAN.
        ConflictError: PLAN_CHANGED.
    """
    check_idle(stack)
    plan = open_plan(stack)
    if plan is None:
        raise NotReadyError(
            "NO_PLAN", f"{stack.name} has no plan to decide; make one", stack=stack.name
        )
    if not is_digest_of(plan, digest):
        raise ConflictError(
            "PLAN_CHANGED",
            f"the plan of {stack.name} is {plan.digest[:LEAST_DIGEST]}, not"
            f" {digest[:LEAST_DIGEST]!r}; look at it again before you decide",
            stack=stack.name,
            digest=plan.digest,
        )
    return plan


def check_confirmed(stack: Stack, plan: Plan, confirmation: str) -> None:
    """Whether the name of the stack was typed where the plan takes something away.

    Raises:
        NotPermittedError: CONFIRMATION_NEEDED.
    """
    if plan.confirmation_needed and confirmation != stack.stack_id:
        raise NotPermittedError(
            "CONFIRMATION_NEEDED",
            "this plan takes something away; confirm it with the name of the stack:"
            f" {stack.stack_id}",
            stack=stack.name,
        )


def check_may_delete(stack: Stack) -> None:
    """Whether the record of a stack may go.

    Raises:
        NotReadyError: STACK_BUSY, STACK_NOT_EMPTY.
    """
    check_idle(stack)
    if not is_empty(stack):
        raise NotReadyError(
            "STACK_NOT_EMPTY",
            f"something may be left of {stack.name}; destroy it first",
            stack=stack.name,
        )
