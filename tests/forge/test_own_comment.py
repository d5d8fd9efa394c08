"""Which comment is ours: written by our author, with a marker at its start for the same environment and folder."""

from __future__ import annotations

import pytest

from reconciler.forge.comment import Deed
from reconciler.model.errors import ForgeError
from tests.forge.fake import BOT, GITHUB, NOW, TOKEN, FakeForge, Fault, Waits, bound, comment_text


def test_the_first_one_is_posted(forge: FakeForge) -> None:
    done = bound(forge).put(comment_text())
    assert (done.deed, done.where, done.shortened, done.notes) == (Deed.POSTED, forge.address(101), False, ())
    assert [item.body for item in forge.written] == [comment_text()]


def test_a_later_one_is_updated(forge: FakeForge) -> None:
    forge.write("Looks fine to me.", "ann")
    mine = forge.write(comment_text("1 to create"))
    done = bound(forge).put(comment_text("3 to create"))
    assert (done.deed, done.where) == (Deed.UPDATED, forge.address(mine.id))
    assert [item.body for item in forge.written] == ["Looks fine to me.", comment_text("3 to create")]


def test_the_same_text_is_not_sent_again(forge: FakeForge) -> None:
    mine = forge.write(comment_text().replace("\n", "\r\n").rstrip())  # as a provider may keep it
    done = bound(forge).put(comment_text())
    assert (done.deed, done.where) == (Deed.UNCHANGED, forge.address(mine.id))
    assert forge.calls() == ["list"]


def test_of_several_the_newest(forge: FakeForge) -> None:
    for said in ("1 to create", "2 to create", "3 to create"):
        forge.write(comment_text(said))
    bound(forge).put(comment_text("4 to create"))
    assert [item.body for item in forge.written] == [comment_text(f"{n} to create") for n in (1, 2, 4)]


OTHERS = {
    "another environment": comment_text(environment="staging"),
    "another folder": comment_text(folder="teams/evals"),
    "no marker": "## Plan: 2 to create\n",
    "a marker that is not at the start": "> quoted\n" + comment_text(),
    "a marker of a schema to come": comment_text().replace('"schema":1', '"schema":2'),
    "a marker that is nested without end": "<!-- reconciler:plan " + "[" * 20_000 + " -->\n",
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_what_is_no_comment_of_this_plan_stays(forge: FakeForge, body: str) -> None:
    forge.write(body)
    assert bound(forge).put(comment_text()).deed is Deed.POSTED
    assert [item.body for item in forge.written] == [body, comment_text()]


def test_a_marker_that_somebody_else_copied_is_never_touched(forge: FakeForge) -> None:
    mine = forge.write(comment_text("1 to create"))
    forge.write(comment_text("nothing at all"), "mallory")
    bound(forge).put(comment_text("2 to create"))
    assert mine.body == comment_text("2 to create")
    assert forge.written[1].body == comment_text("nothing at all")


def test_what_the_provider_notes_by_itself_is_no_comment() -> None:
    with FakeForge("gitlab") as forge:
        forge.write(comment_text(), system=True)
        assert bound(forge).put(comment_text()).deed is Deed.POSTED


def test_it_is_found_on_a_later_page(forge: FakeForge) -> None:
    forge.page = 3
    mine = forge.write(comment_text("1 to create"))
    for number in range(10):
        forge.write(f"comment {number}", "ann")
    assert bound(forge).put(comment_text()).deed is Deed.UPDATED
    assert mine.body == comment_text()
    assert [item.query.get("page") for item in forge.asked if item.call == "list"] == [None, "2", "3", "4"]


def test_a_next_page_elsewhere_is_asked_for_here(forge: FakeForge) -> None:
    forge.page, forge.next_link = 1, lambda url: url.replace("http://127.0.0.1", "https://evil.example")
    forge.write("hello", "ann")
    mine = forge.write(comment_text("1 to create"))
    bound(forge).put(comment_text())
    assert mine.body == comment_text()


@pytest.mark.parametrize("link", ["http://[broken", "{url}?page=1", "{url}?per_page=1"])
def test_pages_without_end_are_given_up(forge: FakeForge, link: str) -> None:
    forge.page, forge.next_link = 1, lambda url: link.replace("{url}", url.partition("?")[0])
    for number in range(3):
        forge.write(f"comment {number}", "ann")
    bound_forge = bound(forge)
    if "broken" in link:  # no address: there is no next page
        assert bound_forge.put(comment_text()).deed is Deed.POSTED
        return
    with pytest.raises(ForgeError, match="more than can be read"):
        bound_forge.put(comment_text())
    assert forge.calls().count("list") <= 3
    assert "post" not in forge.calls()


# Who we are


def test_the_token_says_it(forge: FakeForge) -> None:
    forge.login = forge.writes_as = "Plan-Bot"
    forge.write(comment_text("1 to create"), "plan-bot")  # logins are told apart without case
    forge.writes_as = "plan-bot"
    assert bound(forge).put(comment_text()).deed is Deed.UPDATED


def test_the_token_of_a_workflow_may_not_ask(github: FakeForge) -> None:
    github.write(comment_text("1 to create"), BOT)
    assert bound(github).put(comment_text()).deed is Deed.UPDATED


def test_the_command_line_says_it_better(forge: FakeForge) -> None:
    forge.writes_as = "acme-plans[bot]"
    mine = forge.write(comment_text("1 to create"), "acme-plans[bot]")
    assert bound(forge, "acme-plans[bot]").put(comment_text()).deed is Deed.UPDATED
    assert mine.body == comment_text()
    assert "whoami" not in [item.call for item in forge.asked]


def test_an_app_that_writes_under_another_name_is_told(github: FakeForge) -> None:
    github.writes_as = "acme-plans[bot]"
    (note,) = bound(github).put(comment_text()).notes
    assert "acme-plans[bot]" in note
    assert "--author" in note


def test_every_request_carries_the_token_and_what_the_provider_asks_for(forge: FakeForge) -> None:
    bound(forge).put(comment_text())
    for item in forge.asked:
        assert item.headers["user-agent"].startswith("reconciler/")
        if forge.kind == GITHUB:
            assert item.headers["authorization"] == f"Bearer {TOKEN}"
            assert item.headers["accept"] == "application/vnd.github+json"
            assert item.headers["x-github-api-version"] == "2022-11-28"
        else:
            assert item.headers["private-token"] == TOKEN
            assert "authorization" not in item.headers


def test_nothing_is_waited_for_where_nothing_is_wrong(forge: FakeForge) -> None:
    waits = Waits()
    bound(forge, waits=waits).put(comment_text())
    assert (waits.slept, waits.at) == ([], NOW)
    forge.fault("list", Fault(200, b"[]"))  # the script of faults is not simply ignored
    assert bound(forge).put(comment_text()).deed is Deed.POSTED
