"""How many compilers and simulators may run at once, first come first served."""

import asyncio


class Slots:
    """Counted slots; each is taken with `async with`. asyncio's semaphores are fair."""

    def __init__(self, *, compilers: int, simulators: int) -> None:
        self._compilers = asyncio.Semaphore(compilers)
        self._simulators = asyncio.Semaphore(simulators)

    def compiler(self) -> asyncio.Semaphore:
        """A slot for one build."""
        return self._compilers

    def simulator(self) -> asyncio.Semaphore:
        """A slot for one simulated scenario."""
        return self._simulators
