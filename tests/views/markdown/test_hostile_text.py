"""Text of others stays text: it is there word for word, and the page has the same elements as without it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import FieldChange, Kind, Progress
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.marker import Marker
from reconciler.model.plan import Drift, Plan, Revision, Unmet
from reconciler.model.request import SecretRef
from reconciler.views.markdown import CUT, EMPTY, code, fenced, prose, row
from reconciler.views.paint import one_line
from reconciler.views.plan_markdown import failed_markdown, plan_markdown
from tests.planning.plans import action, plan, request
from tests.views.markdown.rendered import LIVE, Page, render

HOSTILE = [
    "</details>", "</summary></details><h1>Approved</h1>", "<img src=x onerror=alert(1)>", "<!-- x -->", "-->", "<!--",
    "--> <!-- reconciler:plan {} -->", "@octocat", "cc @acme/owners please", "fixes #12", "Closes GH-12", "acme/repo#7",
    "!7", "https://evil.example/x", "www.evil.example", "mailto:a@evil.example", "a@evil.example", "evil@1b2c3d4",
    "1b2c3d4e5f60718293a4b5c6d7e8f90123456789", "deadbeef", "[x](https://evil.example)", "![x](//evil.example/p.png)",
    "[x]: //evil.example", "[^1]", "`", "``", "``` x", "````", "````\n</details>", "`a` b `c`", "~~~", "| x | y |",
    "a|b", r"a\|b", "\\", "\\\\", "a\\`b", "x` | `y", "\n\n## No changes. 0 runs are as declared", "\n# x", "# x",
    "> [!TIP]", "- [x] done", "1. one", "1) one", "---", "===", "* * *", "    indented", "\t@x", "  ", " x ", " ` ",
    "*bold* _it_ ~~gone~~", "$x$ $`y`$", ":+1: :tada:", "/approve", "/merge", "&lt;b&gt; &#64;octocat", "~bug %1.0 ^x",
    "\r\n/close", "\x1b[31m", "\u202eevil", "\u2028@a", "\ue000", "é ＠octocat", "Blocked: 3 errors", "x" * 2_000,
    "`" * 700, "a " * 900, "|" * 600,
]  # fmt: skip


def everywhere(evil: str) -> dict[str, Plan]:
    """A plan with the text in each place that may hold one."""
    changed = FieldChange(f"f{evil}", f"a{evil}", [evil])
    named = Address(f'run.a["{evil}"]')
    replaced = action(Kind.REPLACE, run_id="r1", changes=(FieldChange("seed", 1, 2),))
    soft = LimitResult(Limit("max_cost_usd", 1.0, Level.SOFT), False, evil, evil)
    wrong = Diagnostic(Severity.ERROR, "Wrong", evil, evil, f"run.{evil}", Source(f"{evil}.toml"), (evil, f"a{evil}"))
    return {
        "environment": plan(action(), environment=evil),
        "folder": plan(action(), revision=Revision(folder=evil)),
        "commits": plan(action(), revision=Revision(evil, True, evil)),
        "lineage": plan(action(), lineage=evil),
        "heading": plan(action(), heading=(evil,)),
        "headings": plan(action(), heading=(evil, evil)),
        "address": plan(action(), replace(action(), address=named)),
        "destructive address": plan(replace(replaced, address=named)),
        "reason": plan(replace(action(), reason=evil)),
        "destructive reason": plan(replace(replaced, reason=evil)),
        "run": plan(replace(replaced, subject=Progress(evil, evil, 1, 2))),
        "file": plan(
            replace(replaced, source=Source(f"{evil}.toml")), replace(action(), source=Source(f"{evil}.toml"))
        ),
        "dependency": plan(action(depends_on=(named,), wave=2)),
        "field": plan(action(after=request(1, generation_model=evil, tools=[evil, evil]))),
        "changed field": plan(replace(replaced, changes=(changed,))),
        "secret": plan(action(secrets=(("databricks_client_id", SecretRef("env", evil)),))),
        "limit": plan(action(), limits=(soft, replace(soft, override=""))),
        "unmet": plan(unmet=(Unmet(named, "failed", evil, Source(evil)), Unmet(named, "gone", evil))),
        "drift": plan(drift=(Drift(named, evil, (changed,)),)),
        "diagnostic": plan(diagnostics=(wrong, replace(wrong, severity=Severity.WARNING))),
    }


PLACES = list(everywhere("x"))
SKELETONS = {place: render(plan_markdown(made).text).elements for place, made in everywhere("x").items()}


def expected(evil: str) -> list[str]:
    """The text as it is to be seen, in pieces that are left of a long one."""
    seen = " ".join(one_line(evil).split())
    return [seen] if len(evil) <= 400 else [seen[:200]]


def unquoted(text: str) -> str:
    return text.replace("`", "")


@pytest.mark.parametrize("place", PLACES)
def test_it_is_there_word_for_word_and_does_nothing(place: str) -> None:
    for evil in HOSTILE:
        made = everywhere(evil)[place]
        text = plan_markdown(made).text
        page = render(text)
        assert page.elements == SKELETONS[place], evil
        assert len(page.comments) == 1, evil
        assert LIVE.findall(page.bare) == [], evil
        seen = "\n".join(page.rows()).replace("a…", "a")
        if place != "commits":  # only its beginning is shown
            # What a reason quotes is shown as code, without its quotes.
            assert all(unquoted(piece) in unquoted(seen) for piece in expected(evil)), (evil, seen)
        cut = "…" in text.replace('--reason "…"', "")
        assert Marker.read(text) == replace(Marker.of(made, truncated=False), truncated=cut), evil
        assert CUT not in text
        assert all(character.isprintable() or character == "\n" for character in text), evil


def test_nor_where_no_plan_could_be_made() -> None:
    wanted = None
    for evil in ["x", *HOSTILE]:
        wrong = Diagnostic(Severity.ERROR, "Wrong", evil, evil, f"run.{evil}", Source(f"{evil}.toml"), (evil,))
        revision = Revision(evil, folder=evil)
        page = render(failed_markdown([wrong], environment=evil, revision=revision).text)
        wanted = wanted or page.elements
        assert page.elements == wanted, evil
        assert LIVE.findall(page.bare) == [], evil


def test_no_line_begins_with_what_gitlab_would_obey() -> None:
    for evil in HOSTILE:
        for place, made in everywhere(evil).items():
            lines = plan_markdown(made).text.splitlines()
            assert [line for line in lines if line.startswith("/") and place != "diagnostic"] == []


def cells(page: Page) -> list[str]:
    return [text for tag, text in page.texts if tag == "td"]


TABLE = "| a | b |\n| --- | --- |\n"
ODD = st.text(st.sampled_from("`|\\ *_~<>&[](){}#@!$:/.-+=\"'\n\tax1\u202e\ue000é→"), max_size=30) | st.text(
    max_size=30
)


@given(ODD)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text_is_one_cell(text: str) -> None:
    page = render(f"{TABLE}{row(code(text), prose(text))}")
    literal = one_line(text)
    assert cells(page) == [literal or EMPTY, " ".join(literal.split()) or EMPTY]
    assert page.elements.count("tr") == 2
    assert LIVE.findall(page.bare) == []
    assert set(page.elements) <= {
        part for tag in ("table", "thead", "tbody", "tr", "td", "th") for part in (tag, f"/{tag}")
    }


@given(ODD)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_words_are_one_item_of_a_list(text: str) -> None:
    page = render(f"- {prose(text)}\n")
    assert page.elements == ["ul", "li", "/li", "/ul"]
    assert " ".join(page.rows()) == (" ".join(one_line(text).split()) or EMPTY)


@given(st.lists(ODD, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_lines_are_one_block_of_code(lines: list[str]) -> None:
    page = render(f"{fenced(lines, 'diff')}\nafter\n")
    assert page.elements == ["pre", "/pre", "p", "/p"]
    assert page.texts[0][1] == "".join(f"{one_line(line)}\n" for line in lines)
