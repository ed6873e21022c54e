"""Whether device clouds can be made here, and what to do when not."""

from benchline.errors import NotReadyError
from controlplane.domain.check import Check
from controlplane.provisioning.binary import INSTALL, find_terraform
from controlplane.provisioning.localcloud.mosquitto import find_mosquitto
from controlplane.provisioning.settings import ProvisioningSettings


async def checks(settings: ProvisioningSettings) -> list[Check]:
    """Look at Terraform and the broker of local clouds.

    That they are not installed is no fault: everything but clouds works without them.
    """
    return [await _terraform(settings), _mosquitto()]


async def _terraform(settings: ProvisioningSettings) -> Check:
    try:
        command = await find_terraform(settings.terraform)
    except NotReadyError as error:
        if error.reason == "TERRAFORM_NOT_FOUND":
            detail = f"not installed, for sessions with --stack: {INSTALL}"
            return Check(name="terraform", ok=True, detail=detail)
        return Check(name="terraform", ok=False, detail=str(error), fix=INSTALL)
    state = f"state kept by the backend {settings.state_backend}"
    return Check(name="terraform", ok=True, detail=f"{command.identity}; {state}")


def _mosquitto() -> Check:
    try:
        return Check(name="mosquitto", ok=True, detail=str(find_mosquitto()))
    except NotReadyError as error:
        return Check(name="mosquitto", ok=True, detail=f"not installed: {error}")
