"""What an operator does with deployments in the console, as single calls."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from benchline.errors import InvalidRequestError
from benchline.v1 import artifact_pb2, deployment_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, new_request_id
from tui.client.images import upload_options

_PLAN_TIMEOUT_S = 120.0
_RELEASES = ("firmware.release.elf", "firmware.image")
_SESSIONS_LOOKED_AT = 20


async def start_rollout(
    connection: Connection, paths: str, boards: Sequence[str], waves: str, sessions: Sequence[str]
) -> str:
    """Flash boards with the images at some paths; without a path with that of the newest session.

    `sessions` are names, newest first. Gives the name of the deployment.

    Raises:
        InvalidRequestError: a path that cannot be read, or no session has an image.
        grpc.aio.AioRpcError: the deployment was refused.
    """
    words = _words(paths)
    if words:
        images = await upload_options(connection, words)
    else:
        images = [await _newest_image(connection, sessions)]
    request = deployment_pb2.CreateDeploymentRequest(
        request_id=new_request_id(), images=images, boards=boards, waves=waves
    )
    answer = await connection.deployments.CreateDeployment(request, timeout=_PLAN_TIMEOUT_S)
    return answer.deployment.name


async def retry_rollout(connection: Connection, name: str) -> str:
    """Do again the boards of a deployment that did not pass; gives the new deployment."""
    request = deployment_pb2.CreateDeploymentRequest(request_id=new_request_id(), retry_of=name)
    answer = await connection.deployments.CreateDeployment(request, timeout=_PLAN_TIMEOUT_S)
    return answer.deployment.name


async def newest_rollout(connection: Connection) -> str:
    """The newest deployment, whoever made it; "" when there is none."""
    request = deployment_pb2.ListDeploymentsRequest(page_size=1)
    answer = await connection.deployments.ListDeployments(request, timeout=CALL_TIMEOUT_S)
    return answer.deployments[0].name if answer.deployments else ""


def _words(paths: str) -> list[str]:
    """Paths as a shell would read them."""
    try:
        return [str(Path(word).expanduser()) for word in shlex.split(paths)]
    except ValueError as error:
        raise InvalidRequestError("SOURCE_UNUSABLE", f"{paths}: {error}") from error


async def _newest_image(
    connection: Connection, sessions: Sequence[str]
) -> artifact_pb2.FirmwareImage:
    for name in sessions[:_SESSIONS_LOOKED_AT]:
        session = await connection.session(name)
        kinds = {artifact.kind: artifact for artifact in session.artifacts}
        found = next((kinds[kind] for kind in _RELEASES if kind in kinds), None)
        if found is not None:
            image = artifact_pb2.FirmwareImage(title=found.filename)
            image.files.add(sha256=found.sha256, filename=found.filename)
            return image
    raise InvalidRequestError("SOURCE_NOT_FOUND", "no run has an image yet; give a path")
