"""What a kind of resource is for the provider: its attributes and how it is planned and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from controlplane.provisioning.provider.values import Values


class Kind(StrEnum):
    """The types that attributes have here, in Terraform's words."""

    STRING = "string"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute. It is given (required or optional), told by the provider (computed), or both.

    A change of one that `replaces` makes a new resource.
    """

    name: str
    description: str
    kind: Kind = Kind.STRING
    required: bool = False
    optional: bool = False
    computed: bool = False
    replaces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with one attribute of a configuration."""

    attribute: str
    summary: str
    detail: str


class Resource(Protocol):
    """One kind of resource. States and plans hold every attribute of it."""

    attributes: Sequence[Attribute]

    def validate(self, config: Values) -> list[Problem]:
        """What is wrong with a configuration; unknown values are not wrong."""
        ...

    def plan(self, prior: Values | None, proposed: Values) -> Values:
        """What an apply would lead to; it changes nothing, and is told twice by Terraform."""
        ...

    async def read(self, state: Values) -> Values | None:
        """How it really is; None when it is gone."""
        ...

    async def apply(self, planned: Values) -> Values:
        """Make it so, whether or not some or all of it is there."""
        ...

    async def delete(self, state: Values) -> None:
        """Leave nothing of it; nothing to do when nothing is there."""
        ...
