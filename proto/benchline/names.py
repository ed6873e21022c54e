"""Resource names.

`sessions/{session}`, `designs/{design}`, `designs/{design}/revisions/{revision}`,
`deployments/{deployment}`, `liveSimulations/{live_simulation}`, `stacks/{stack}`,
`agents/{agent}/boards/{board}`, `leases/{lease}`, `consoles/{console}`.
"""

import re

from benchline.errors import InvalidRequestError

_ID = r"[a-z0-9][a-z0-9_-]{0,62}"
AGENT_ID = re.compile(_ID)
BOARD_ID = re.compile(_ID)
DEPLOYMENTS = "deployments/"
DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DESIGNS = "designs/"
LIVE_SIMULATIONS = "liveSimulations/"
STACKS = "stacks/"
_DESIGN_NAME = re.compile(rf"({_ID})(?:/revisions/([1-9][0-9]{{0,8}}))?")
_SESSION_ID = re.compile(r"[a-z0-9]{1,32}")
STACK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")


def session_name(session_id: str) -> str:
    """`01k…` -> `sessions/01k…`."""
    return f"sessions/{session_id}"


def session_id(name: str) -> str:
    """`sessions/01k…` or the bare id -> the id.

    Raises:
        InvalidRequestError: INVALID_NAME.
    """
    bare = name.removeprefix("sessions/").lower()
    if not _SESSION_ID.fullmatch(bare):
        raise InvalidRequestError("INVALID_NAME", f"{name!r} is not a session name", name=name)
    return bare


def design_name(design_id: str, revision: int | None = None) -> str:
    """`thermostat` -> `designs/thermostat`, or one of its revisions."""
    return f"{DESIGNS}{design_id}" + ("" if revision is None else f"/revisions/{revision}")


def parse_design_name(name: str) -> tuple[str, int | None]:
    """`designs/{design}[/revisions/{revision}]` or the bare id -> (id, revision).

    Raises:
        InvalidRequestError: INVALID_NAME.
    """
    found = _DESIGN_NAME.fullmatch(name.removeprefix(DESIGNS))
    if found is None:
        raise InvalidRequestError(
            "INVALID_NAME", f"{name[:100]!r} is not a design name", name=name[:100]
        )
    return found[1], int(found[2]) if found[2] else None


def deployment_name(deployment_id: str) -> str:
    """`01k…` -> `deployments/01k…`."""
    return f"{DEPLOYMENTS}{deployment_id}"


def deployment_id(name: str) -> str:
    """`deployments/01k…` or the bare id -> the id.

    Raises:
        InvalidRequestError: INVALID_NAME.
    """
    bare = name.removeprefix(DEPLOYMENTS).lower()
    if not _SESSION_ID.fullmatch(bare):
        raise InvalidRequestError("INVALID_NAME", f"{name!r} is not a deployment name", name=name)
    return bare


def live_simulation_id(name: str) -> str:
    """`liveSimulations/01k…` or the bare id -> the id.

    Raises:
        InvalidRequestError: INVALID_NAME.
    """
    bare = name.removeprefix(LIVE_SIMULATIONS).lower()
    if not _SESSION_ID.fullmatch(bare):
        raise InvalidRequestError(
            "INVALID_NAME", f"{name!r} is not a live simulation's name", name=name
        )
    return bare


def stack_id(name: str) -> str:
    """`stacks/greenhouse` or the bare id -> the id.

    Raises:
        InvalidRequestError: INVALID_NAME.
    """
    bare = name.removeprefix(STACKS)
    if not STACK_ID.fullmatch(bare):
        raise InvalidRequestError(
            "INVALID_NAME",
            f"{name[:60]!r} is no name of a stack: use 1 to 39 small letters, digits and '-',"
            " beginning with a letter or a digit",
            name=name[:60],
        )
    return bare


def board_name(agent: str, board: str) -> str:
    """The full name of a board."""
    return f"agents/{agent}/boards/{board}"


def board_console(board: str) -> str:
    """Console stream of a board, given its full name."""
    return f"consoles/{board}"


def simulation_console(session: str, attempt: int, scenario: str) -> str:
    """Console stream of one simulated scenario."""
    return f"consoles/sessions/{session}/attempts/{attempt}/simulations/{scenario}"


def live_console(session: str, live_simulation: str) -> str:
    """Console stream of a live simulation, given two ids."""
    return f"consoles/sessions/{session}/live/{live_simulation}"
