"""Who can design on a control plane, and what that may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignerState:
    """A designer. Money is in millionths of a dollar; a ceiling of 0 is none.

    ``detail`` says what it is, or why it is not ready; ``fix`` how to make it ready.
    """

    designer: str
    ready: bool
    detail: str
    fix: str = ""
    costs: bool = False
    session_ceiling_micro_usd: int = 0
    month_ceiling_micro_usd: int = 0
    month_spent_micro_usd: int = 0
