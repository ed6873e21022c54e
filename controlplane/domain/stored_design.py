"""A design that is kept under a name, at one of its revisions."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from controlplane.domain.design import Design


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDesign:
    """One revision; ``parent_revision`` is the one that it was made from, 0 for the first."""

    design_id: str
    revision: int
    parent_revision: int
    head_revision: int
    design: Design
    note: str
    principal: str
    create_time: datetime
    update_time: datetime

    @property
    def name(self) -> str:
        """The name of the design."""
        return f"designs/{self.design_id}"

    @property
    def etag(self) -> str:
        """What an edit of this revision has to show."""
        mark = f"{self.design_id}/{self.revision}/{self.design.design_hash}"
        return hashlib.sha256(mark.encode()).hexdigest()[:16]
