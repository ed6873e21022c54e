"""Which designers can be used, and what they may cost."""

from controlplane.claude.service import Claude
from controlplane.claude.settings import HOW_TO_CONFIGURE
from controlplane.designers.claude import ClaudeDesigner
from controlplane.designers.offline import OfflineDesigner
from controlplane.domain.designer_state import DesignerState


class DesignerStates:
    """Looks at the configuration and the ledger."""

    def __init__(self, claude: Claude) -> None:
        self._claude = claude

    async def states(self) -> tuple[DesignerState, ...]:
        """One a designer; asks nobody."""
        offline = DesignerState(
            designer=OfflineDesigner.name, ready=True, detail="known wordings; costs nothing"
        )
        settings = self._claude.settings
        if not settings.configured:
            why = "not configured: there is no key"
            return offline, DesignerState(
                designer=ClaudeDesigner.name,
                ready=False,
                detail=why,
                fix=HOW_TO_CONFIGURE,
                costs=True,
            )
        spent = await self._claude.spent_this_month()
        return offline, DesignerState(
            designer=ClaudeDesigner.name,
            ready=True,
            detail=f"{settings.model}, effort {settings.effort}",
            costs=True,
            session_ceiling_micro_usd=settings.session_ceiling_micro_usd,
            month_ceiling_micro_usd=settings.month_ceiling_micro_usd,
            month_spent_micro_usd=spent.at_most_micro_usd,
        )
