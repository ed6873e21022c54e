"""The checks of everything that this machine should have."""

from collections.abc import Sequence

from controlplane.claude.settings import claude_detail
from controlplane.composition.parts import Parts
from controlplane.domain.check import Check
from controlplane.provisioning.doctor import checks as cloud_checks
from controlplane.simulators.doctor import checks as simulator_checks
from controlplane.toolchains.doctor import checks as tool_checks


class Doctor:
    """Looks at the confinement, compilers, simulators, what makes clouds, and at Claude."""

    def __init__(self, parts: Parts) -> None:
        self._tools = parts.tools
        self._catalogue = parts.designing.catalogue
        self._claude = parts.designing.claude
        self._provisioning = parts.config.provisioning

    async def run(self) -> Sequence[Check]:
        """All checks. Starts child processes."""
        found = await tool_checks(self._tools.vendors)
        found += await simulator_checks(self._tools.simulators, self._catalogue)
        found += await cloud_checks(self._provisioning)
        detail = claude_detail(self._claude.settings, await self._claude.spent_this_month())
        return [*found, Check(name="claude", ok=True, detail=detail)]
