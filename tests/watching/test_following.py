"""What a branch may say, and what only whoever runs the controller may."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.config.variables import Given
from reconciler.model.errors import UsageError
from reconciler.model.request import SecretRef
from reconciler.watching.allowed import Allowed
from reconciler.watching.checkout import Checkout
from reconciler.watching.following import Following
from reconciler.watching.place import Place
from reconciler.watching.remote import Remote, SourceRefused
from tests.git import git

RUN = '[run.a]\nspec_id = "11111111-1111-4111-8111-111111111111"\nnumber_of_samples = 5\n'
BRICKS = 'generation_model = "databricks/x"\ndatabricks_api_base = { env = "%s" }\n'
HERS = "postgresql://db.example.com/hers"


class Branch:
    """A repository, and what a controller makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.desk = folder, folder / "desk"
        self.desk.mkdir()
        git(self.desk, "init", "--quiet", "--initial-branch", "main")

    def following(self, allowed: Allowed | None = None, state: str | None = None, env: str | None = None) -> Following:
        """A controller that starts anew in the same folder."""
        place = Place(str(self.desk))
        remote, checkout = Remote(place, self.folder / "repository"), Checkout(self.folder / "project")
        environ: Mapping[str, str] = {"DATAFRAMER_API_KEY": "x"}
        pin = self.folder / "state-named"
        return Following(remote, checkout, place, environ, Given(env), state, allowed or Allowed(), pin)

    def push(self, text: str, **files: str) -> None:
        for name, content in {"reconciler": text, **files}.items():
            target = self.desk / f"{name.replace('__', '/')}.toml"
            target.parent.mkdir(exist_ok=True)
            target.write_text(content)
        git(self.desk, "add", "--all")
        git(self.desk, "commit", "--quiet", "--allow-empty", "--message", "declare")

    def take(self, following: Following) -> str:
        """Why the newest commit is refused, empty where it is taken and read."""
        try:
            following.take(following.newest())
        except SourceRefused as refused:
            return "\n".join(refused.problems)
        assert following.project() is not None
        return ""


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    return Branch(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[api]\nbase_url = "emulator"\n',
        '[api]\nbase_url = "https://df-api.dataframer.ai/"\napi_key = { env = "DATAFRAMER_API_KEY" }\n',
    ],
)
def test_the_service_and_its_key_may_be_named(branch: Branch, text: str) -> None:
    branch.push(text + RUN)
    assert branch.take(branch.following()) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[api]\nbase_url = "https://evil.example.com"\n' + RUN, "base_url is https://evil.example.com"),
        ('[api]\nbase_url = "https://df-api.dataframer.ai.evil.example.com"\n' + RUN, "[allow] base_urls"),
        ('[api]\nbase_url = "http://127.0.0.1:2375"\n' + RUN, "[allow] base_urls"),
        ('[api]\napi_key = { env = "AWS_SECRET_ACCESS_KEY" }\n' + RUN, "environment variable AWS_SECRET_ACCESS_KEY"),
        ('[api]\napi_key = { file = "/proc/self/environ" }\n' + RUN, "file /proc/self/environ"),
        ('[api]\napi_key = { file = "../../watch.toml" }\n' + RUN, "[allow] secrets"),
        (RUN + BRICKS % "AWS_SECRET_ACCESS_KEY", "databricks_api_base of run.a is the environment variable AWS_SECRET"),
        ('[state]\nurl = { env = "PGPASSWORD" }\n' + RUN, "[state] url is the environment variable PGPASSWORD"),
    ],
)
def test_nothing_else_of_the_controllers_may_be_named(branch: Branch, text: str, said: str) -> None:
    branch.push(RUN)
    following = branch.following()
    assert branch.take(following) == ""
    good = following.good()
    branch.push(text)
    assert said in branch.take(following)
    assert following.good() == good


def test_the_operator_may_allow_more(branch: Branch) -> None:
    more = Allowed(
        frozenset({SecretRef("env", "KEY"), SecretRef("file", "/run/key")}), frozenset({"https://b.example"})
    )
    api = '[api]\nbase_url = "https://b.example"\napi_key = { file = "/run/key" }\n'
    branch.push(api + RUN + BRICKS % "KEY")
    assert branch.take(branch.following(more)) == ""
    with pytest.raises(UsageError, match="allows"):  # and less again: what was taken before is read no more
        branch.following().project()


ELSEWHERE = [
    '[state]\nurl = "sqlite:////tmp/another.db"\n',
    '[state]\nurl = "postgresql://db.example.com/another"\n',
    '[api]\nbase_url = "emulator"\n',
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_push_does_not_choose_another_state(branch: Branch, text: str) -> None:
    branch.push(RUN)
    assert branch.take(branch.following()) == ""
    branch.push(text + RUN)
    assert "it names another state" in branch.take(branch.following())
    branch.push(RUN + "# better\n")
    assert branch.take(branch.following()) == ""


def test_a_push_does_not_choose_another_workspace(branch: Branch) -> None:
    branch.push(RUN)
    assert branch.take(branch.following(state=HERS)) == ""
    branch.push('[state]\nworkspace = "another"\n' + RUN)
    assert "workspace another" in branch.take(branch.following(state=HERS))
    assert branch.take(branch.following(state=f"{HERS}?workspace=mine")) == ""  # there it has no say


def test_the_operator_may_choose_another_state(branch: Branch) -> None:
    prod = {"environments__prod": '[state]\nurl = "sqlite:////srv/prod.db"\n'}
    branch.push(RUN, **prod)
    assert branch.take(branch.following()) == ""
    assert branch.take(branch.following(env="prod")) == ""
    branch.push(RUN, environments__prod='[state]\nurl = "sqlite:////srv/other.db"\n')
    assert "/srv/other.db, and until now that was sqlite:////srv/prod.db" in branch.take(branch.following(env="prod"))
    assert branch.take(branch.following(env="prod", state="sqlite:////srv/mine.db")) == ""
    (branch.folder / "state-named").unlink()
    assert branch.take(branch.following(env="prod")) == ""


def test_a_revision_of_before_is_remembered_where_no_file_says(branch: Branch) -> None:
    branch.push(RUN)
    assert branch.take(branch.following()) == ""
    (branch.folder / "state-named").unlink()
    branch.push(ELSEWHERE[0] + RUN)
    assert "it names another state" in branch.take(branch.following())
