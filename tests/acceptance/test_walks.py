"""U8: a list that is walked page by page shows what was there all the time once, whatever is made meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.core.model.calls import InstancePage
from headgate_worker.reads.list_cursor import ListCursor
from tests.worker.submitting import days

UPSTREAM_PAGE = 4


def page_of(ids: Sequence[int], number: int) -> InstancePage:
    """Upstream's page of a date, ascending by id."""
    first = (number - 1) * UPSTREAM_PAGE
    shown = sorted(ids)[first : first + UPSTREAM_PAGE]
    return InstancePage(tuple(pb.WorkflowInstance(id=one) for one in shown), len(ids))


def walked(
    request: pb.ListWorkflowInstancesRequest, room: int, every: int, look: Callable[[int], InstancePage]
) -> list[int]:
    """The ids of all pages of a list, of which every n-th is wanted; `look` reads one of upstream's pages."""
    shown: list[int] = []
    for _ in range(200):
        walk, rows = ListCursor.begin(request), list[pb.WorkflowInstance]()
        while walk.more() and len(rows) < room:
            taken, walk = walk.take(look(walk.page), lambda row: row.id % every == 0, room - len(rows))
            rows += taken
        shown += [row.id for row in rows]
        if not walk.more():
            return shown
        request.page_token = walk.token()
    raise AssertionError("the walk has no end")


def one_day() -> pb.ListWorkflowInstancesRequest:
    return pb.ListWorkflowInstancesRequest(project_id=1, biz_dates=days("2025-02-05", "2025-02-05"))


@given(
    there=st.sets(st.integers(1, 60), max_size=25),
    made=st.lists(st.integers(1, 90), max_size=20),
    room=st.integers(1, 9),
    every=st.integers(1, 5),
)
def test_what_was_there_all_the_time_is_shown_once(there: set[int], made: list[int], room: int, every: int) -> None:
    """What comes late may have any id: a lister that lags shows instances in no order. Only every n-th is wanted."""
    ids, coming = set(there), list(made)

    def look(number: int) -> InstancePage:
        found = page_of(sorted(ids), number)
        ids.update({coming.pop()} if coming else ())
        return found

    shown = walked(one_day(), room, every, look)

    assert shown == sorted(set(shown))
    assert {one for one in there if one % every == 0} <= set(shown)


@given(
    there=st.sets(st.integers(1, 60), max_size=25),
    going=st.lists(st.integers(1, 60), max_size=20),
    room=st.integers(1, 9),
    every=st.integers(1, 5),
)
def test_what_stays_is_shown_once_although_others_vanish(
    there: set[int], going: list[int], room: int, every: int
) -> None:
    """Retention takes rows away between two of upstream's pages, so that later ones move to pages already read."""
    ids, leaving = set(there), list(going)

    def look(number: int) -> InstancePage:
        found = page_of(sorted(ids), number)
        ids.difference_update({leaving.pop()} if leaving else ())
        return found

    shown = walked(one_day(), room, every, look)

    assert shown == sorted(set(shown))
    assert {one for one in ids if one % every == 0} <= set(shown)
