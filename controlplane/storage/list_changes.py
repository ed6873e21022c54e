"""Whether a list has changed since somebody last looked, without polling."""

import asyncio

from controlplane.storage.bell import Bell

_LIST = "list"


class ListChanges:
    """Counts the changes of one list since the control plane began. Of the event loop alone."""

    def __init__(self) -> None:
        self._bell = Bell()
        self.count = 0

    def tell(self) -> None:
        """After each commit that changed the list."""
        self.count += 1
        self._bell.ring(_LIST)

    async def after(self, count: int, *, within_s: float) -> int:
        """The count as soon as it is another one; the same one when that takes too long."""
        with self._bell.listen(_LIST) as rung:
            try:
                async with asyncio.timeout(within_s):
                    while self.count == count:
                        rung.clear()
                        await rung.wait()
            except TimeoutError:
                pass
        return self.count
