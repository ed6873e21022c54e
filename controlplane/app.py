"""The control plane as a program: opens its parts one after the other, serves, and closes them."""

import asyncio
import contextlib
import logging
import os
import signal
from contextlib import AsyncExitStack

from benchline.instance import Instance, make_private
from controlplane.composition.cloud import opened_cloud
from controlplane.composition.designing import opened_designing
from controlplane.composition.fleet import opened_fleet
from controlplane.composition.parts import Parts
from controlplane.composition.services import all_services
from controlplane.composition.stores import opened_stores
from controlplane.composition.tools import find_tools
from controlplane.composition.workers import Workers, opened_workers
from controlplane.config import Config
from controlplane.edge.server import Services, build_server
from controlplane.ops.claim import claimed

log = logging.getLogger(__name__)

_STOP_GRACE_S = 0.5


async def serve(config: Config) -> None:
    """Run the control plane until SIGTERM or SIGINT.

    Raises:
        NotReadyError: ALREADY_RUNNING, another one serves this data directory.
        InvalidRequestError: CONFIG_INVALID.
    """
    instance = config.instance
    for folder in (instance.data_dir, instance.state_dir, instance.run_dir, instance.cache_dir):
        make_private(folder)
    make_private(instance.socket_path.parent)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with claimed(instance):
        async with AsyncExitStack() as stack:
            parts = await _open_parts(config, stack)
            workers = await stack.enter_async_context(opened_workers(parts))
            await _serve(instance, all_services(parts, workers), workers, stop)


async def _open_parts(config: Config, stack: AsyncExitStack) -> Parts:
    """Open everything in the order in which it is needed; the stack closes it in the other."""
    tools = find_tools(config)
    stores = await stack.enter_async_context(opened_stores(config.instance))
    return Parts(
        config=config,
        stores=stores,
        tools=tools,
        fleet=await stack.enter_async_context(opened_fleet(stores, tools)),
        designing=await stack.enter_async_context(opened_designing(config, stores)),
        cloud=await stack.enter_async_context(opened_cloud(config, stores)),
    )


async def _serve(
    instance: Instance, services: Services, workers: Workers, stop: asyncio.Event
) -> None:
    server = build_server(services, instance.target)
    await server.start()
    log.info("control plane serves", extra={"target": instance.target, "pid": os.getpid()})
    try:
        await workers.run(stop)
    finally:
        await server.stop(_STOP_GRACE_S)
        with contextlib.suppress(FileNotFoundError):
            instance.socket_path.unlink()
        log.info("control plane stopped")
