"""A page token of a worker's list: what was made is read again, and what is wrong with another one is told."""

import pytest

from headgate import pb
from headgate_worker.reads import page_tokens
from headgate_worker.reads.page_tokens import OTHER_ARGUMENTS, UNREADABLE, BadPageToken


def test_a_token_names_its_place_whatever_the_size_of_the_page() -> None:
    made = page_tokens.seal(page_tokens.digest(pb.ListTaskInstancesRequest(project_id=7, page_size=10)), 3, 4)
    again = pb.ListTaskInstancesRequest(project_id=7, page_size=20, page_token=made)

    assert page_tokens.place(made, page_tokens.digest(again), 2) == (3, 4)


@pytest.mark.parametrize(
    ("arguments", "cut", "said"),
    [("other", 0, OTHER_ARGUMENTS), ("mine", 4, UNREADABLE), ("mine", 3, UNREADABLE)],
)
def test_a_bad_token_tells_what_is_wrong_with_it(arguments: str, cut: int, said: str) -> None:
    made = page_tokens.seal("mine", 3, 4)

    with pytest.raises(BadPageToken) as caught:
        page_tokens.place(made[: len(made) - cut], arguments, 2)

    assert str(caught.value) == said
