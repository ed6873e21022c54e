"""What a new run wishes of the cloud of its device, and why something cannot be wished. Pure."""

from dataclasses import dataclass

_RULED = "local"
"""The only target whose plans may be approved by rule."""
_NO_CLOUD = "it goes with a cloud; ctrl+l chooses one"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWish:
    """Without a ``stack`` the device has no cloud; without a ``device`` the server names one."""

    stack: str = ""
    target: str = ""
    device: str = ""
    auto_approve: bool = False

    @property
    def why_no_device(self) -> str:
        """Why no device can be named; "" when one can."""
        return "" if self.stack else _NO_CLOUD

    @property
    def why_no_rule(self) -> str:
        """Why plans cannot be approved by rule; "" when they can."""
        if not self.stack:
            return _NO_CLOUD
        if self.target != _RULED:
            return f"plans of target {self.target} need a person"
        return ""

    @property
    def device_words(self) -> str:
        """The device, or who names it."""
        if not self.stack:
            return "none"
        return self.device or "the same for this sentence"

    @property
    def approval_words(self) -> str:
        """Who approves the plan."""
        if not self.stack:
            return "nothing to approve"
        return "by rule, where nothing is taken away" if self.by_rule else "by a person"

    @property
    def by_rule(self) -> bool:
        """Whether plans that take nothing away need no person."""
        return self.auto_approve and not self.why_no_rule
