from tests.wire.tui.fake_server import passed_events
from tui.client.translate import event_of
from tui.state.board import BoardFact, Inventory
from tui.state.fact import Outcome, SessionSummary, State
from tui.state.model import (
    EventsRead,
    InventorySeen,
    Link,
    LinkChanged,
    Model,
    SessionSeen,
    SessionsListed,
    Store,
    current_summary,
    going_on,
    reduce_model,
)

NAME = "sessions/01kdemo"
RUNNING = SessionSummary(name=NAME, title="Blink.", state=State.RUNNING)
EVENTS = tuple(event_of(one) for one in passed_events())


def after(*actions: object) -> Model:
    model = Model()
    for action in actions:
        model = reduce_model(model, action)
    return model


def test_a_row_of_the_list_says_what_the_newest_event_says() -> None:
    model = after(SessionsListed((RUNNING,)), EventsRead(NAME, EVENTS))
    row = current_summary(model, model.sessions[0])
    assert (row.state, row.outcome, going_on(model)) == (State.DONE, Outcome.PASSED, 0)


def test_a_list_that_is_newer_than_the_events_wins() -> None:
    newer = SessionSummary(
        name=NAME, title="x", state=State.CANCELLED, last_sequence=len(EVENTS) + 1
    )
    model = after(EventsRead(NAME, EVENTS), SessionsListed((newer,)))
    assert current_summary(model, newer).state is State.CANCELLED


def test_a_session_that_is_seen_again_keeps_its_place() -> None:
    other = SessionSummary(name="sessions/b", title="b")
    model = after(SessionsListed((other, RUNNING)), SessionSeen(RUNNING))
    assert [one.name for one in model.sessions] == ["sessions/b", NAME]
    assert after(SessionsListed((other,)), SessionSeen(RUNNING)).sessions[0] == RUNNING


def test_events_that_come_twice_change_nothing_and_wake_nobody() -> None:
    store, woken = Store(), []
    store.subscribe(lambda: woken.append(1))
    store.dispatch(EventsRead(NAME, EVENTS))
    store.dispatch(EventsRead(NAME, EVENTS))
    assert len(woken) == 1


def test_the_moment_when_the_link_broke_stays_while_it_is_broken() -> None:
    lost = LinkChanged(Link.AWAY, "reconnecting", 1_000)
    later = LinkChanged(Link.AWAY, "still reconnecting", 9_000)
    assert after(lost, later).link_since_ms == 1_000
    assert after(lost, LinkChanged(Link.LIVE, "", 9_500)).link_since_ms == 9_500


def test_an_inventory_replaces_the_one_before() -> None:
    board = BoardFact(name="agents/a/boards/b")
    model = after(
        InventorySeen(Inventory(version=1, boards=(board,))), InventorySeen(Inventory(version=2))
    )
    assert model.inventory == Inventory(version=2)
