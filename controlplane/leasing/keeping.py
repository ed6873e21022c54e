"""A lease that lasts for as long as a piece of work does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchline.errors import ConflictError
from controlplane.domain.bench import Lease
from controlplane.leasing.book import LeaseBook

_RENEWAL_S = 15.0  # a quarter of what a lease lasts


@asynccontextmanager
async def kept(leases: LeaseBook, lease: Lease) -> AsyncIterator[Lease]:
    """Renew a lease for as long as the block runs. One that was taken away is not renewed."""
    keeper = asyncio.create_task(_renew(leases, lease), name=f"keep {lease.name}")
    try:
        yield lease
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _renew(leases: LeaseBook, lease: Lease) -> None:
    while True:
        await asyncio.sleep(_RENEWAL_S)
        with contextlib.suppress(ConflictError):
            await leases.renew(lease.name)
