"""Whether device clouds can be made here, and what to do when not."""

from benchline.errors import NotReadyError
from controlplane.domain.check import Check
from controlplane.provisioning.binary import INSTALL, find_terraform
from controlplane.provisioning.settings import ProvisioningSettings


async def checks(settings: ProvisioningSettings) -> list[Check]:
    """Look at Terraform. That it is not installed is no fault: stages without a cloud work."""
    state = f"state backend {settings.state_backend}"
    try:
        command = await find_terraform(settings.terraform)
    except NotReadyError as error:
        if error.reason == "TERRAFORM_NOT_FOUND":
            detail = f"not installed, for sessions with --stack: {INSTALL}"
            return [Check(name="terraform", ok=True, detail=detail)]
        return [Check(name="terraform", ok=False, detail=str(error), fix=INSTALL)]
    return [Check(name="terraform", ok=True, detail=f"{command.identity}; {state}")]
