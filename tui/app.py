"""The operator console. Screens and gRPC are loaded when they are first needed."""

import functools
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from benchline.instance import current_instance
from tui.clock import now_ms
from tui.prompts import DEMO_BOARDS, DEMO_PROMPT
from tui.screens.dialogs import HELP, AskScreen, TextScreen
from tui.screens.frame import WIDE, FramedScreen
from tui.screens.runs import RunsScreen
from tui.session import ConsoleSession
from tui.state.model import Link, LinkChanged, SessionSeen, Store, going_on, shown_rollout

if TYPE_CHECKING:
    from benchline.errors import BenchlineError


class BenchlineApp(App[int]):
    """The console: one store, fed by streams; screens paint it."""

    TITLE = "benchline"
    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "runs", "Runs", id="app.runs"),
        Binding("2", "bench", "Bench", id="app.bench"),
        Binding("3", "designs", "Designs", id="app.designs"),
        Binding("4", "clouds", "Cloud", id="app.clouds"),
        Binding("n", "new_run", "New", id="app.new"),
        Binding("question_mark", "help", "Keys", id="app.help", key_display="?"),
        Binding("q", "leave", "Leave", id="app.leave"),
        Binding("ctrl+q", "leave", "Leave", id="app.quit", show=False, priority=True),
    ]

    session: ConsoleSession

    def __init__(self, *, target: str, demo: bool = False, auto_up: bool = True) -> None:
        super().__init__()
        self._demo = demo
        self._auto_up = auto_up
        self._target = target
        self.store = Store()
        self.farewell = ""

    def on_mount(self) -> None:
        """Paint the list first; connecting, and loading what that needs, comes after."""
        self.session = ConsoleSession(
            target=self._target, store=self.store, spawn=self._spawn, away=self._bring_back
        )
        self.push_screen(RunsScreen(self.session))
        self.call_after_refresh(lambda: self._spawn("start", self._start()))

    async def on_unmount(self) -> None:
        """Close the channel, if one was opened."""
        if "connection" in vars(self.session):
            await self.session.connection.close()

    async def _start(self) -> None:
        if self._auto_up:
            from tui.headless import local

            say = functools.partial(self._note, Link.STARTING)
            connection = await local.ensure_up(say=say)
            await connection.close()
        self._spawn("bench", self.session.feeds.follow_bench())
        self._spawn("sessions", self.session.feeds.follow_sessions())
        if self._demo:
            from tui.client.operations import RunWish, start_session

            runs = [
                await start_session(
                    self.session.connection, RunWish(prompt=DEMO_PROMPT, board=board)
                )
                for board in DEMO_BOARDS
            ]
            for started in runs:
                self.store.dispatch(SessionSeen(started))
            self.open_run(runs[0].name)

    def _note(self, link: Link, text: str) -> None:
        self.store.dispatch(LinkChanged(link, text, now_ms()))

    async def _bring_back(self, reason: str) -> None:
        if self._auto_up:
            from tui.headless import local

            await local.bring_back(reason, say=lambda _: None)

    def _spawn(self, name: str, feed: Coroutine[None, None, None]) -> None:
        self.run_worker(self._guard(feed), name=name, group=name, exclusive=False)

    async def _guard(self, feed: Coroutine[None, None, None]) -> None:
        """A feed that fails is told about; the console goes on."""
        import grpc

        from benchline.errors import BenchlineError
        from tui.client.connection import failure_of

        try:
            await feed
        except grpc.aio.AioRpcError as error:
            self._tell(failure_of(error))
        except BenchlineError as error:
            self._tell(error)

    def _tell(self, error: "BenchlineError") -> None:
        if self.store.model.link is Link.STARTING:
            self._note(Link.STARTING, error.message.splitlines()[0])
        self.notify(error.message, title=error.reason, severity="error", timeout=15, markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what the screen says is not possible now."""
        screen = self.screen_stack[-1] if self.screen_stack else None
        if isinstance(screen, FramedScreen) and screen.reason_against(action):
            return None
        return True

    def open_run(self, name: str) -> None:
        """Show one run."""
        from tui.screens.run import RunScreen

        self.push_screen(RunScreen(self.session, name))

    def cancel_run(self, name: str) -> None:
        """Ask, then cancel."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._spawn("cancel", self._cancel(name))

        question = AskScreen(
            f"Cancel {name.rpartition('/')[2][:12]}?",
            "Its children are stopped and its board is given back.\n"
            "A flash in progress is finished first.",
        )
        self.push_screen(question, answered)

    async def _cancel(self, name: str) -> None:
        from tui.client.operations import cancel_session

        self.store.dispatch(SessionSeen(await cancel_session(self.session.connection, name)))

    def action_runs(self) -> None:
        """The list of runs, from anywhere."""
        self._go_home()

    def action_bench(self) -> None:
        """The list of boards, from anywhere."""
        from tui.screens.bench import BenchScreen

        self._go_home()
        self.push_screen(BenchScreen(self.session))

    def action_designs(self) -> None:
        """The designs that are kept, from anywhere."""
        from tui.screens.designs import DesignsScreen

        self._go_home()
        self.push_screen(DesignsScreen(self.session))

    def action_clouds(self) -> None:
        """The device clouds, from anywhere."""
        from tui.screens.clouds import CloudsScreen

        self._go_home()
        self.push_screen(CloudsScreen(self.session))

    def open_stack(self, name: str, *, plan: bool = False) -> None:
        """Show one device cloud, and plan it if that is wished."""
        from tui.screens.cloud import CloudScreen

        self.push_screen(CloudScreen(self.session, name, plan=plan))

    def open_design(self, name: str) -> None:
        """Show one design: of a session, or kept."""
        from tui.screens.design import DesignScreen

        self.push_screen(DesignScreen(self.session, name))

    def new_run(self, prompt: str) -> None:
        """A new run that begins with a sentence of an old one."""
        self.session.draft = prompt
        self.action_new_run()

    def action_new_run(self) -> None:
        """Type a sentence."""
        from tui.screens.new_run import NewRunScreen

        if not isinstance(self.screen, NewRunScreen):
            self.push_screen(NewRunScreen(self.session))

    def action_help(self) -> None:
        """All keys."""
        self.push_screen(TextScreen("Keys", HELP.splitlines()))

    def action_leave(self) -> None:
        """Leave; nothing is stopped."""
        running = going_on(self.store.model)
        if running:
            count = f"{running} run{' goes' if running == 1 else 's go'} on without you"
            self.farewell = f"{count}; `benchline sessions` lists, `benchline watch` shows them"
        rollout = shown_rollout(self.store.model)
        if rollout is not None and not rollout.state.ended:
            follow = f"`benchline flash --watch {rollout.deployment_id}`"
            self.farewell += f"\nboards are still being flashed; {follow} follows that"
            self.farewell = self.farewell.strip()
        self.exit(0)

    def _go_home(self) -> None:
        while len(self.screen_stack) > 2:  # the blank one, and the list of runs
            self.pop_screen()


def run_console(*, demo: bool) -> int:
    """Run the console until the operator leaves."""
    app = BenchlineApp(target=current_instance().target, demo=demo)
    app.run()
    if app.farewell:
        sys.stderr.write(app.farewell + "\n")
    return app.return_code or 0
