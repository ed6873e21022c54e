"""Everything that sessions, deployments and services are made of."""

from dataclasses import dataclass

from controlplane.composition.cloud import Cloud
from controlplane.composition.designing import Designing
from controlplane.composition.fleet import Fleet
from controlplane.composition.stores import Stores
from controlplane.composition.tools import Tools
from controlplane.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The opened parts of one control plane, and what they were configured with."""

    config: Config
    stores: Stores
    tools: Tools
    designing: Designing
    fleet: Fleet
    cloud: Cloud
