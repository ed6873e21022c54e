"""Connections of the control plane itself to the brokers of local clouds."""

import asyncio
import logging
from typing import Any

import aiomqtt

from benchline.client_tls import client_context
from controlplane.provisioning.localcloud.cloud import Credential

_QUIET = logging.getLogger("controlplane.provisioning.mqtt")
_QUIET.setLevel(logging.ERROR)


async def client_of(credential: Credential, identifier: str, **options: Any) -> aiomqtt.Client:
    """A client that is not connected yet; `options` are those of `aiomqtt.Client`.

    Raises:
        ssl.SSLError: the credential is damaged.
    """
    context = await asyncio.to_thread(
        client_context, credential.certificate_pem, credential.key_pem, credential.ca_pem
    )
    host, _, port = credential.endpoint.rpartition(":")
    return aiomqtt.Client(
        host, int(port), identifier=identifier, tls_context=context, logger=_QUIET, **options
    )
