"""What a screen asks of the app when it leads somewhere else."""

from typing import Protocol, cast

from textual.screen import Screen


class Doors(Protocol):
    """The app, as far as screens may know it: it imports them, so they cannot import it."""

    def open_run(self, name: str) -> None:
        """Show one run."""

    def cancel_run(self, name: str) -> None:
        """Ask, then cancel."""

    def open_design(self, name: str) -> None:
        """Show one design: of a session, or kept."""

    def open_stack(self, name: str, *, plan: bool = False) -> None:
        """Show one device cloud, and plan it if that is wished."""

    def new_run(self, prompt: str) -> None:
        """A new run that begins with a sentence of an old one."""


def doors(screen: Screen[None]) -> Doors:
    """The doors of the app that a screen is shown by."""
    return cast("Doors", screen.app)
