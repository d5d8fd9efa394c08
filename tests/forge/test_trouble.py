"""What the providers may do to a comment, and what is said then: nothing fails silently, nothing is written twice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import pytest

from reconciler.forge.comment import Deed
from reconciler.model.errors import ForgeError, ForgeRefused, ForgeUnclear
from reconciler.model.marker import Marker
from tests.forge.fake import GITHUB, GITLAB, NOW, TOKEN, FakeForge, Fault, Waits, bound, comment_text

BROKEN, BROKEN_AFTER = Fault(0), Fault(0, done=True)
OLD, NEW = comment_text("1 to create"), comment_text("2 to create")


def said(problem: BaseException) -> str:
    return " ".join([str(problem), *getattr(problem, "__notes__", ())])


# An update that is refused


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_comment_that_can_not_be_changed_is_followed_by_a_new_one(forge: FakeForge, status: int) -> None:
    mine = forge.write(OLD)
    forge.fault("update", Fault(status))
    done = bound(forge).put(NEW)
    assert (done.deed, done.where) == (Deed.POSTED, forge.address(102))
    assert [item.body for item in forge.written] == [OLD, NEW]
    (note,) = done.notes
    assert str(status) in note
    assert "outdated" in note
    assert forge.address(mine.id) in note
    assert bound(forge).put(comment_text("3 to create")).where == forge.address(102)  # the newest from now on


# What is final


@dataclass(frozen=True)
class Final:
    """A status that ends it, and what has to be said."""

    call: str
    status: int
    words: tuple[str, ...]


FINAL = [
    Final("whoami", 401, ("_TOKEN is wrong",)),
    Final("list", 401, ("_TOKEN is wrong", "not today")),
    Final("list", 403, ("read the comments",)),
    Final("list", 404, ("read the comments",)),
    Final("list", 301, ("--repository",)),
    Final("post", 401, ("_TOKEN is wrong",)),
    Final("post", 403, ("comment on",)),
    Final("post", 404, ("comment on",)),
    Final("post", 422, ("HTTP 422", "not today")),
    Final("post", 302, ("--repository",)),
]
NEEDS = {GITHUB: ("pull-requests: write", "fork", "step summary"), GITLAB: ("`api` scope",)}


@pytest.mark.parametrize("case", FINAL, ids=lambda case: f"{case.call} {case.status}")
def test_a_final_answer_is_told_with_what_to_do(forge: FakeForge, case: Final) -> None:
    forge.fault(case.call, Fault(case.status, headers={"location": "http://127.0.0.1:1/elsewhere"}))
    waits = Waits()
    with pytest.raises(ForgeRefused) as caught:
        bound(forge, waits=waits).put(NEW)
    for words in (*case.words, *(NEEDS[forge.kind] if case.status in (403, 404) else ())):
        assert words in said(caught.value)
    assert forge.written == []
    assert waits.slept == []
    assert [item.call for item in forge.asked].count(case.call) == 1


def test_a_gitlab_token_that_may_not_say_its_name_is_refused() -> None:
    with FakeForge(GITLAB) as forge:
        forge.login = None
        with pytest.raises(ForgeRefused, match="whose token it is"):
            bound(forge).put(NEW)


@pytest.mark.parametrize(
    "fault", [Fault(422), Fault(500), BROKEN, Fault(401), Fault(429, headers={"retry-after": "999"})]
)
def test_a_failed_update_says_that_the_old_comment_is_outdated(forge: FakeForge, fault: Fault) -> None:
    mine = forge.write(OLD)
    forge.fault("update", *[fault] * 4)
    with pytest.raises(ForgeError) as caught:
        bound(forge).put(NEW)
    assert "outdated" in said(caught.value)
    assert (forge.address(mine.id) if forge.kind == GITHUB else f"comment {mine.id}") in said(caught.value)
    assert mine.body == OLD


# What may pass


@pytest.mark.parametrize("fault", [Fault(500), Fault(502, b"<html>"), Fault(503), Fault(504), Fault(408), BROKEN])
@pytest.mark.parametrize("call", ["whoami", "list", "update"])
def test_what_may_be_repeated_is(forge: FakeForge, call: str, fault: Fault) -> None:
    mine = forge.write(OLD)
    forge.fault(call, *[fault] * 3)
    waits = Waits()
    assert bound(forge, waits=waits).put(NEW).deed is Deed.UPDATED
    assert mine.body == NEW
    assert waits.slept == [1, 2, 4]


@pytest.mark.parametrize("fault", [Fault(503), BROKEN])
def test_but_not_for_ever(forge: FakeForge, fault: Fault) -> None:
    forge.fault("list", *[fault] * 5)
    with pytest.raises(ForgeUnclear, match="tried 4 times"):
        bound(forge).put(NEW)
    assert forge.calls() == ["list"] * 4


def test_an_update_that_was_done_and_not_answered_is_found(forge: FakeForge) -> None:
    mine = forge.write(OLD)
    forge.fault("update", *[replace(BROKEN_AFTER)] * 4)
    assert bound(forge).put(NEW).deed is Deed.UPDATED
    assert mine.body == NEW
    assert [item.body for item in forge.written] == [NEW]


# A post of which nobody knows what became of it

UNCLEAR = [Fault(500), Fault(502), Fault(408), BROKEN, Fault(201, b"<html>a login page"), Fault(200, b'{"id": "x"}')]


@pytest.mark.parametrize("fault", UNCLEAR, ids=repr)
def test_it_is_posted_once_more_where_it_is_not_there(forge: FakeForge, fault: Fault) -> None:
    forge.fault("post", fault)
    waits = Waits()
    assert bound(forge, waits=waits).put(NEW).where == forge.address(101)
    assert [item.body for item in forge.written] == [NEW]
    assert forge.calls() == ["list", "post", "list", "post"]
    assert waits.slept == [2]


@pytest.mark.parametrize("fault", UNCLEAR, ids=repr)
def test_it_is_not_posted_again_where_it_is(forge: FakeForge, fault: Fault) -> None:
    forge.fault("post", replace(fault, done=True))
    assert bound(forge).put(NEW).where == forge.address(101)
    assert [item.body for item in forge.written] == [NEW]
    assert forge.calls() == ["list", "post", "list"]


def test_the_same_text_by_somebody_else_does_not_count(forge: FakeForge) -> None:
    forge.write(NEW, "mallory")
    forge.fault("post", BROKEN)
    bound(forge).put(NEW)
    assert [item.author for item in forge.written] == ["mallory", forge.writes_as]


def test_twice_is_enough(forge: FakeForge) -> None:
    forge.fault("post", *[Fault(500)] * 9)
    with pytest.raises(ForgeUnclear) as caught:
        bound(forge).put(NEW)
    assert "may have been written all the same" in said(caught.value)
    assert forge.calls() == ["list", "post", "list", "post", "list"]


def test_it_is_not_posted_again_where_nobody_can_look(forge: FakeForge) -> None:
    forge.fault("list", Fault(200, b"[]"), *[Fault(503)] * 9)
    forge.fault("post", Fault(500))
    with pytest.raises(ForgeUnclear) as caught:
        bound(forge).put(NEW)
    assert "may have been written all the same" in said(caught.value)
    assert forge.calls().count("post") == 1


# Answers of a wrong shape


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"null", b"[" * 100_000, b"\xff\xfe", b"1" * 10_000])
@pytest.mark.parametrize("call", ["whoami", "list"])
def test_an_answer_that_can_not_be_read_is_told(forge: FakeForge, call: str, body: bytes) -> None:
    forge.fault(call, Fault(200, body))
    with pytest.raises(ForgeError, match="can't be read"):
        bound(forge).put(NEW)
    assert forge.written == []


def test_comments_of_a_wrong_shape_are_none(forge: FakeForge) -> None:
    forge.fault(
        "list", Fault(200, b'[null, 1, {}, [], {"id": -1}, {"id": 1, "user": null, "author": null, "body": null}]')
    )
    assert bound(forge).put(NEW).deed is Deed.POSTED


def test_an_address_that_can_not_be_had_undoes_nothing() -> None:
    with FakeForge(GITLAB) as forge:
        forge.fault("page", *[Fault(500)] * 9)
        done = bound(forge).put(NEW)
        assert (done.deed, done.where) == (Deed.POSTED, "comment 101 of merge request 7")


# Too many requests


@dataclass(frozen=True)
class Limited:
    """An answer that says so, and the seconds to wait."""

    status: int
    headers: dict[str, str]
    seconds: float
    body: bytes = b"{}"


LIMITED = {
    "seconds": Limited(429, {"retry-after": "7"}, 7),
    "a date": Limited(429, {"retry-after": "Thu, 01 Jan 2026 00:00:20 GMT"}, 20),
    "a date by the provider's own clock": Limited(
        429, {"retry-after": "Thu, 01 Jan 2026 01:00:20 GMT", "date": "Thu, 01 Jan 2026 01:00:00 GMT"}, 20
    ),
    "a date that has passed": Limited(429, {"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 1),
    "zero": Limited(429, {"retry-after": "0"}, 1),
    "nothing": Limited(429, {}, 60),
    "nonsense": Limited(429, {"retry-after": "soon"}, 60),
    "the hour's share is used up": Limited(
        403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 30:.0f}"}, 30
    ),
    "GitLab's share is used up": Limited(429, {"ratelimit-remaining": "0", "ratelimit-reset": f"{NOW + 30:.0f}"}, 30),
    "a secondary limit": Limited(403, {"retry-after": "45"}, 45),
    "a secondary limit in words": Limited(403, {}, 60, b'{"message": "You have exceeded a secondary rate limit."}'),
}


@pytest.mark.parametrize("case", LIMITED.values(), ids=LIMITED)
@pytest.mark.parametrize("call", ["list", "post"])
def test_it_waits_as_it_is_told(github: FakeForge, call: str, case: Limited) -> None:
    github.fault(call, Fault(case.status, case.body, case.headers))
    waits = Waits()
    assert bound(github, waits=waits).put(NEW).deed is Deed.POSTED
    assert waits.slept == [pytest.approx(case.seconds, abs=1)]
    assert len(github.written) == 1


def test_it_waits_no_longer_than_a_job_may(forge: FakeForge) -> None:
    forge.fault("post", *[Fault(429, headers={"retry-after": "40"})] * 5)
    waits = Waits()
    with pytest.raises(ForgeError, match=r"asks to wait 40 s.* after 2026-01-01 00:02:00 UTC"):
        bound(forge, waits=waits).put(NEW)
    assert waits.slept == [40, 40]


@pytest.mark.parametrize("told", ["3600", "999999999", "9" * 50])
def test_it_says_when_to_try_again(forge: FakeForge, told: str) -> None:
    forge.fault("list", *[Fault(429, headers={"retry-after": told})] * 3)
    waits = Waits()
    with pytest.raises(ForgeError, match="too many requests"):
        bound(forge, waits=waits).put(NEW)
    assert sum(waits.slept) <= 90


# Too long


def longer(size: int) -> str:
    return NEW + "x" * (size - len(NEW))


@pytest.mark.parametrize("before", [None, OLD])
def test_a_text_that_is_too_long_becomes_its_verdict(forge: FakeForge, before: str | None) -> None:
    if before:
        forge.write(before)
    body = longer(forge.limit + 1)
    done = bound(forge).put(body)
    assert done.shortened
    assert done.deed is (Deed.UPDATED if before else Deed.POSTED)
    (mine,) = forge.written
    marker, whole = Marker.read(mine.body), Marker.read(body)
    assert marker is not None
    assert whole is not None
    assert marker == msgspec.structs.replace(whole, truncated=True)
    assert mine.body.splitlines()[1] == "## Plan: 2 to create"
    assert f"{len(body):,} characters" in mine.body
    assert "output of the job" in mine.body
    assert [item.call for item in forge.asked if item.call in ("post", "update")] == ["update" if before else "post"]


def test_the_longest_one_is_whole(forge: FakeForge) -> None:
    body = longer(forge.limit)
    assert not bound(forge).put(body).shortened
    assert forge.written[0].body == body


@pytest.mark.parametrize("before", [None, OLD])
def test_the_provider_may_draw_the_line_elsewhere(forge: FakeForge, before: str | None) -> None:
    if before:
        forge.write(before)
    forge.limit = 1_000
    done = bound(forge).put(longer(2_000))
    assert done.shortened
    assert len(forge.written) == 1
    assert "2,000 characters" in forge.written[0].body


def test_a_gateway_may_draw_it_too(forge: FakeForge) -> None:
    forge.fault("post", Fault(413, b"<html>413 Request Entity Too Large</html>"))
    assert bound(forge).put(NEW).shortened


def test_the_short_form_that_is_there_is_unchanged(forge: FakeForge) -> None:
    body = longer(forge.limit + 1)
    bound(forge).put(body)
    done = bound(forge).put(body)
    assert (done.deed, done.shortened) == (Deed.UNCHANGED, True)


def test_no_error_holds_the_token(forge: FakeForge) -> None:
    echo = b'{"message": "Bad credentials: ' + TOKEN.encode() + b'"}'
    for status in (400, 401, 403, 404, 422, 500):
        forge.fault("list", *[Fault(status, echo, {"x-request-id": TOKEN})] * 4)
        with pytest.raises(ForgeError) as caught:
            bound(forge).put(NEW)
        assert TOKEN not in said(caught.value) + repr(caught.value) + repr(vars(caught.value))
        assert status == 500 or "(secret)" in said(caught.value)
        forge._faults.clear()
