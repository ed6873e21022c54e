"""Finds what a device connects with, wherever its target keeps it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benchline.errors import NotFoundError
from controlplane.domain.stack import CloudBinding, DeviceCredential
from controlplane.provisioning.aws_target import AwsTarget
from controlplane.provisioning.custody import custody_reference
from controlplane.provisioning.localcloud.clouds import LocalClouds

CERTIFICATES = "certificates"
"""The sensitive output with the certificate of each device whose key is kept here."""

SensitiveOutputs = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""The sensitive outputs of a stack as JSON texts, read on behalf of a principal."""


class DeviceCredentials:
    """Resolves the credential references of bindings.

    Certificates that the state alone holds are read from it once and kept in memory until the
    stack is applied again.
    """

    def __init__(self, clouds: LocalClouds, aws: AwsTarget, outputs: SensitiveOutputs) -> None:
        self._clouds = clouds
        self._aws = aws
        self._outputs = outputs
        self._certificates: dict[str, Mapping[str, str]] = {}

    async def find(self, binding: CloudBinding, principal: str) -> DeviceCredential:
        """The credential that a binding names.

        Raises:
            NotFoundError: CREDENTIAL_NOT_FOUND.
            NotReadyError: STACK_BUSY, TERRAFORM_NOT_FOUND.
        """
        if binding.credential_ref == f"local:{binding.stack}/{binding.device}":
            found = await self._clouds.cloud(binding.stack).device_credential(binding.device)
            return DeviceCredential(
                certificate_pem=found.certificate_pem, key_pem=found.key_pem, ca_pem=found.ca_pem
            )
        if custody_reference(binding.credential_ref) != (binding.stack, binding.device):
            raise _missing(binding)
        key = self._aws.custody(binding.stack).key_of(binding.device)
        certificate = (await self._certificates_of(binding.stack, principal)).get(binding.device)
        if key is None or not isinstance(certificate, str):
            raise _missing(binding)
        return DeviceCredential(certificate_pem=certificate.encode(), key_pem=key)

    def forget(self, stack_id: str) -> None:
        """The stack changed: its certificates may be others."""
        self._certificates.pop(stack_id, None)

    async def _certificates_of(self, stack_id: str, principal: str) -> Mapping[str, Any]:
        known = self._certificates.get(stack_id)
        if known is None:
            found = json.loads((await self._outputs(stack_id, principal)).get(CERTIFICATES, "{}"))
            known = self._certificates[stack_id] = found if isinstance(found, dict) else {}
        return known


def _missing(binding: CloudBinding) -> NotFoundError:
    return NotFoundError(
        "CREDENTIAL_NOT_FOUND",
        f"stack {binding.stack} has no credential of {binding.device}; plan and apply the stack",
        stack=binding.stack,
        name=binding.device,
    )
