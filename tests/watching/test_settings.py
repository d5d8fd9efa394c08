"""watch.toml: what the operator says, and what is wrong with it, with file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.config.settings import seconds
from reconciler.model.errors import ConfigurationError, SecretError
from reconciler.model.request import SecretRef
from reconciler.watching.settings import Settings, read_settings
from reconciler.watching.status import Mode

SOURCE = '[source]\nurl = "https://example.com/o/n.git"\n'
EVERYTHING = """
mode = "apply"
interval = "10s"
jitter = 0.5
prune = true

[source]
url = { env = "GIT_URL" }
branch = "release"
folder = "teams/evals/"
max_bytes = 1_000_000
max_files = 100
timeout = "5s"

[project]
environment = "prod"
var_files = ["values.toml"]
variables = { size = "5" }
state = { env = "STATE" }

[allow]
secrets = [{ env = "KEY" }, { file = "key" }]
base_urls = ["https://b.example/api/"]

[caps]
window = "12h"
max_runs = 1
max_samples = 0
max_cost_usd = 2

[[deny]]
start = "* * * * *"
duration = "24h"
timezone = "Europe/Berlin"
reason = "always"

[http]
listen = "[::1]:0"
token = { file = "token" }

[[webhooks]]
url = { env = "HOOK" }
format = "json"
events = ["applied"]
"""
ENVIRON = {
    "GIT_URL": "https://ada:secret@example.com/o/n.git",
    "STATE": "postgresql://ada:secret@example.com/db",
    "HOOK": "https://hooks.example.com/secret",
}


def read(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "watch.toml").write_text(text)
    return read_settings(folder / "watch.toml", environ or {})


def test_what_may_be_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, SOURCE)
    assert (found.mode, found.pace.interval, found.pace.jitter, found.prune) == (Mode.REPORT, 60.0, 0.1, False)
    assert (found.place.branch, found.place.folder, found.place.max_bytes) == ("main", "", 50_000_000)
    assert (found.listen, found.token, found.webhooks, found.windows) == (("127.0.0.1", 8322), None, (), ())
    assert found.state_url is None
    assert found.caps.window == seconds("24h")


def test_everything(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    found = read(tmp_path, EVERYTHING, ENVIRON)
    assert (found.mode, found.pace.interval, found.prune) == (Mode.APPLY, 10.0, True)
    assert (found.place.url, found.place.branch, found.place.folder) == (ENVIRON["GIT_URL"], "release", "teams/evals")
    assert (found.given.environment, found.given.variables) == ("prod", ("size=5",))
    assert found.given.files == (tmp_path / "values.toml",)
    assert found.state_url == ENVIRON["STATE"]
    assert (found.caps.window, found.caps.runs, found.caps.samples, found.caps.cost) == (43_200.0, 1, 0, 2.0)
    assert (found.listen, found.token, found.webhooks[0].url) == (("::1", 0), "secret", ENVIRON["HOOK"])
    assert found.withheld == {"GIT_URL", "STATE", "HOOK", "RECONCILER_STATE_URL"}
    assert found.allowed.secrets == {SecretRef("env", "KEY"), SecretRef("file", "key")}
    assert found.allowed.base_urls == {"https://b.example/api"}
    assert not any(value in repr(found) for value in ("'secret'", *ENVIRON.values()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is no [source]"),
        ("[source]\nbranch = 1\n", "watch.toml:2:10"),
        (f"mod = 1\n{SOURCE}", 'watch.toml:1:1 Unknown key: "mod" is no key of watch.toml. Did you mean "mode"?'),
        (f'mode = "aply"\n{SOURCE}', 'watch.toml:1:8 Value not allowed: mode must be "report", "approve" or "apply"'),
        (f'interval = "10ms"\n{SOURCE}', "watch.toml:1:12 Value out of bounds: interval is from 1 s to 86400 s"),
        (f"interval = 10\n{SOURCE}", "watch.toml:1:12"),
        (f"jitter = 0.6\n{SOURCE}", "watch.toml:1:10 Value out of bounds"),
        (f"jitter = nan\n{SOURCE}", "watch.toml:1:10"),
        (f'{SOURCE}brnch = "x"\n', 'watch.toml:3:1 Unknown key: "brnch" is no key of [source]. Did you mean "branch"?'),
        (f'{SOURCE}branch = "--upload-pack=x"\n', "watch.toml:3:10 Value not allowed: branch"),
        (f'{SOURCE}folder = "../x"\n', "watch.toml:3:10 Value not allowed: folder"),
        (f'{SOURCE}folder = "/x"\n', "watch.toml:3:10 Value not allowed: folder"),
        ('[source]\nurl = "https://ada:hidden@example.com/n"\n', "watch.toml:2:7 A secret must be a reference"),
        ('[source]\nurl = "ext::sh -c x"\n', "watch.toml:2:7 Value not allowed: The remote must be reached by https"),
        ('[source]\nurl = { env = "A", file = "b" }\n', "watch.toml:2:7 A secret must be a reference"),
        (f'{SOURCE}[project]\nstate = "sqlite:///x.db"\n', "watch.toml:4:9 Value not allowed: A relative path"),
        (f'{SOURCE}[project]\nstate = "postgresql://a:hidden@b/c"\n', "watch.toml:4:9 A secret must be a reference"),
        (f"{SOURCE}[allow]\nsecrets = [{{}}]\n", "watch.toml:4:12 A secret must be a reference"),
        (f'{SOURCE}[allow]\nsecrets = ["KEY"]\n', "watch.toml:4:12"),
        (f'{SOURCE}[allow]\nbase_urls = ["http://b.example"]\n', "watch.toml:4:14 Service address not allowed"),
        (f"{SOURCE}[caps]\nmax_runs = -1\n", "watch.toml:4:12"),
        (f"{SOURCE}[caps]\nmax_cost_usd = nan\n", "watch.toml:4:16"),
        (f'{SOURCE}[[deny]]\nstart = "61 * * * *"\nduration = "1h"\n', "watch.toml:4:9 Value not allowed"),
        (f'{SOURCE}[[deny]]\nstart = "* * * * *"\n', "[deny] has no duration"),
        (
            f'{SOURCE}[[deny]]\nstart = "* * * * *"\nduration = "1h"\ntimezone = "Europe/Berlim"\n',
            'watch.toml:6:12 Value not allowed: There is no time zone "Europe/Berlim"',
        ),
        (f'{SOURCE}[deny]\nstart = "* * * * *"\n', "deny is a list of tables"),
        (f'{SOURCE}[http]\nlisten = "127.0.0.1"\n', "watch.toml:4:10 Value not allowed"),
        (f'{SOURCE}[http]\ntoken = "hidden"\n', "watch.toml:4:9 A secret must be a reference"),
        (f'{SOURCE}[[webhooks]]\nurl = "http://example.com/hidden"\n', "watch.toml:4:7 Value not allowed"),
        (f'{SOURCE}[[webhooks]]\nurl = "https://a/b"\nevents = ["aplied"]\n', 'Did you mean "applied"?'),
        ("[source]\nurl = = 1\n", "watch.toml:2:7 This is not valid TOML"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, text)
    assert said in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, f'mode = "x"\njitter = "y"\n{SOURCE}max_files = 0\n[http]\nport = 1\n')
    assert [found.source.line for found in raised.value.diagnostics if found.source] == [1, 2, 5, 7]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_settings(tmp_path / "watch.toml", {})


@pytest.mark.parametrize("environ", [{}, {"URL": ""}, {"URL": "ext::sh -c secret"}, {"URL": "https://[secret"}])
def test_a_url_that_a_variable_does_not_give(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(SecretError) as raised:
        read(tmp_path, '[source]\nurl = { env = "URL" }\n', environ)
    assert "secret" not in str(raised.value).replace("secret in", "")
