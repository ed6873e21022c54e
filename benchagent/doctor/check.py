"""What a check is, and the PC that is checked."""

import grp
import os
import pwd
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from benchagent.discovery.service import UsbTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `needed` tells whether the agent can work without."""

    name: str
    good: bool
    needed: bool
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pc:
    """Where a PC keeps what is checked; tests put folders of their own here."""

    usb: UsbTree = field(default_factory=UsbTree)
    proc: Path = Path("/proc")
    rules: tuple[Path, ...] = (
        Path("/etc/udev/rules.d"),
        Path("/run/udev/rules.d"),
        Path("/usr/local/lib/udev/rules.d"),
        Path("/usr/lib/udev/rules.d"),
        Path("/lib/udev/rules.d"),
    )
    user: int = field(default_factory=os.getuid)

    @property
    def is_root(self) -> bool:
        """Whether everything is permitted anyway."""
        return self.user == 0

    @property
    def user_name(self) -> str:
        """Name of the user, or the number of one without a name."""
        try:
            return pwd.getpwuid(self.user).pw_name
        except KeyError:
            return str(self.user)

    def has_group(self, name: str) -> bool | None:
        """Whether this process is in a group; None when this PC has no such group."""
        try:
            number = grp.getgrnam(name).gr_gid
        except KeyError:
            return None
        return number in {os.getegid(), *os.getgroups()}

    def program(self, name: str) -> Path | None:
        """A program on PATH."""
        found = shutil.which(name)
        return Path(found) if found else None

    def is_running(self, name: str) -> bool:
        """Whether a program of this name runs, as far as /proc tells."""
        for comm in self.proc.glob("[0-9]*/comm"):
            try:
                if comm.read_text(errors="replace").strip() == name:
                    return True
            except OSError:
                continue
        return False

    def rule_files(self) -> dict[str, str]:
        """udev rules by file name; one in an earlier folder takes the place of a later one."""
        found: dict[str, str] = {}
        for folder in self.rules:
            for path in sorted(folder.glob("*.rules")):
                if path.name not in found:
                    try:
                        found[path.name] = path.read_text(errors="replace")
                    except OSError:
                        found[path.name] = ""
        return found
