"""examples/watch: the files are what their readers take, and name only what the controller really has."""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from reconciler.watching.metrics import Metrics
from reconciler.watching.server import Server
from reconciler.watching.settings import Settings, read_settings
from reconciler.watching.status import Mode, Status
from reconciler.watching.tables import LISTS, TABLES, TOP
from tests.docs.howto import problem
from tests.watching.promql import problems, result_labels

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "watch"
KUBERNETES = "1.34"  # newer ones take what this one takes: all of it is stable
SECRETS = {
    "GIT_URL": "https://ada:secret@git.example.com/o/n.git",
    "RECONCILER_STATE_URL": "postgresql://ada:secret@db.example.com/runs",
    "CHAT_URL": "https://chat.example.com/hooks/secret",
    "WATCH_TOKEN": "secret",
}
Json = dict[str, Any]
NOBODY: Any = None  # no command is let through to it


# watch.toml


def written(folder: Path, text: str, environ: Mapping[str, str]) -> Settings:
    """The settings as the product reads them."""
    (folder / "watch.toml").write_text(text)
    (folder / "token").write_text("secret\n")
    return read_settings(folder / "watch.toml", environ)


def test_watch_toml_is_read_and_names_every_key(tmp_path: Path) -> None:
    text = (EXAMPLE / "watch.toml").read_text("utf-8")
    found = written(tmp_path, text, SECRETS)
    assert (found.mode, found.token, found.place.url) == (Mode.APPROVE, "secret", SECRETS["GIT_URL"])
    table = tomllib.loads(text)
    assert set(table) == {*TOP, *TABLES, *LISTS}
    for name, kind in {**TABLES, **LISTS}.items():
        (one,) = table[name] if name in LISTS else [table[name]]
        assert set(one) == set(kind.__annotations__), name


def test_each_key_of_watch_toml_has_a_comment_of_its_own() -> None:
    lines = (EXAMPLE / "watch.toml").read_text("utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    assert len(keys) == len(TOP) + sum(len(kind.__annotations__) for kind in (*TABLES.values(), *LISTS.values()))
    assert [lines[number] for number in keys if not lines[number - 1].startswith("# ")] == []


# kubernetes.yaml


def manifests() -> list[Json]:
    with (EXAMPLE / "kubernetes.yaml").open(encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))


def manifest(kind: str) -> Json:
    (found,) = [item for item in manifests() if item["kind"] == kind]
    return found


def pod() -> Json:
    found: Json = manifest("Deployment")["spec"]["template"]
    return found


def container() -> Json:
    (found,) = pod()["spec"]["containers"]
    return dict(found)


def settings_of_the_manifest(folder: Path) -> Settings:
    return written(folder, manifest("ConfigMap")["data"]["watch.toml"], SECRETS)


def refusal(document: Json) -> str:
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as problem:
        return str(problem.message)
    return ""


def test_kubernetes_takes_every_manifest() -> None:
    assert {item["kind"]: refusal(item) for item in manifests() if refusal(item)} == {}
    assert [item["kind"] for item in manifests()] == ["ConfigMap", "Deployment", "Service", "NetworkPolicy"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("livenesProbe", {"httpGet": {"path": "/healthz", "port": "http"}}),
        ("livenessProbe.httpGet.pth", "/healthz"),
        ("readinessProbe.periodSecond", 10),
        ("readinessProbe.periodSeconds", "10s"),
        ("securityContext.readOnlyRootFileSystem", True),
        ("env.0.valueFrom.secretKeyRef", {"name": "reconciler-watch"}),
        ("volumeMounts.0.mountpath", "/etc/reconciler"),
    ],
)
def test_a_misspelt_manifest_is_refused(path: str, value: Any) -> None:
    document = copy.deepcopy(manifest("Deployment"))
    at: Any = document["spec"]["template"]["spec"]["containers"][0]
    *parents, last = path.split(".")
    for part in parents:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = value
    assert refusal(document)


def test_the_settings_of_the_manifest_are_read_and_find_what_they_name(tmp_path: Path) -> None:
    found = settings_of_the_manifest(tmp_path)
    given = {item["name"]: item["valueFrom"]["secretKeyRef"]["name"] for item in container()["env"]}
    followed = {ref.name for ref in found.allowed.secrets}  # what the project that is followed may name
    assert found.withheld == given.keys() - followed
    assert followed < given.keys()
    assert set(given.values()) == {"reconciler-watch"}
    assert found.token
    assert found.caps.cost is not None


def test_no_manifest_holds_a_secret() -> None:
    assert "Secret" not in {item["kind"] for item in manifests()}
    assert [item for item in container()["env"] if "value" in item] == []


def test_the_container_finds_its_files() -> None:
    spec = pod()["spec"]
    mounts = {item["name"]: item["mountPath"] for item in container()["volumeMounts"]}
    volumes = {item["name"]: item for item in spec["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert volumes["config"]["configMap"]["name"] == manifest("ConfigMap")["metadata"]["name"]
    words = container()["args"]
    config = Path(words[words.index("--config") + 1])
    assert (str(config.parent), config.name) == (mounts["config"], *manifest("ConfigMap")["data"])
    # Nothing else can be written: where the controller works, where HOME is, and where temporary files go.
    steps = image()
    assert {mounts[name] for name, item in volumes.items() if "emptyDir" in item} == {steps["WORKDIR"], "/tmp"}
    assert f"--home-dir {steps['WORKDIR']} " in steps["RUN"]
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}" == steps["USER"]
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]


def test_the_probes_are_answered_from_outside_and_what_changes_something_needs_the_token(tmp_path: Path) -> None:
    found = settings_of_the_manifest(tmp_path)
    assert found.listen is not None
    host, port = found.listen
    (named,) = container()["ports"]
    assert (host, port) == ("0.0.0.0", named["containerPort"])
    notes = pod()["metadata"]["annotations"]
    assert notes["prometheus.io/port"] == str(port)
    (service,) = manifest("Service")["spec"]["ports"]
    assert (service["port"], service["targetPort"]) == (port, named["name"])
    probes = [container()[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")]
    assert [probe["port"] for probe in probes] == [named["name"]] * 2
    status = Status(found.mode, found.place.branch, seen="c1")
    server = Server((host, 0), lambda: status, lambda: True, Metrics(lambda: status), NOBODY, found.token)
    url = server.url.replace(host, "127.0.0.1")
    with server:
        paths = [*(probe["path"] for probe in probes), notes["prometheus.io/path"]]
        assert {path: httpx.get(url + path, trust_env=False).status_code for path in paths} == dict.fromkeys(
            ("/healthz", "/readyz", "/metrics"), 200
        )
        assert httpx.get(f"{url}/status", trust_env=False).status_code == 401
        assert httpx.post(f"{url}/approve", json={"digest": "sha256:1"}, trust_env=False).status_code == 401


def test_selectors_name_the_pods() -> None:
    labels = pod()["metadata"]["labels"]
    deployment, service, policy = (manifest(kind)["spec"] for kind in ("Deployment", "Service", "NetworkPolicy"))
    assert deployment["selector"]["matchLabels"] == service["selector"] == labels
    assert policy["podSelector"]["matchLabels"] == labels
    assert deployment["replicas"] == 2


# Containerfile


def image(text: str = "") -> dict[str, str]:
    """The instructions, by word; several of one word in one text."""
    text = text or (EXAMPLE / "Containerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    found: dict[str, str] = {}
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        found[word] = f"{found[word]}\n{rest}" if word in found else rest
    return found


def hadolint(folder: Path, text: str) -> list[str]:
    """What it finds, with every rule on."""
    (folder / "empty.yaml").write_text("{}\n")
    (folder / "Containerfile").write_text(text)
    command = [Path(sys.executable).parent / "hadolint", "--config", "empty.yaml", "--disable-ignore-pragma"]
    command += ["--failure-threshold", "style", "--format", "json", "Containerfile"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return [item["code"] for item in json.loads(done.stdout)]


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    assert hadolint(tmp_path, (EXAMPLE / "Containerfile").read_text("utf-8")) == []


def test_hadolint_would_find_it(tmp_path: Path) -> None:
    bad = "FROM python\nRUN cd / && apt-get install git && pip install x\nUSER root\n"
    assert {"DL3003", "DL3006", "DL3008", "DL3015", "DL3042", "DL3002"} <= set(hadolint(tmp_path, bad))


def test_the_image_is_built_of_the_checkout_and_holds_no_secret() -> None:
    steps = image()
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = [line.split() for line in steps["COPY"].splitlines()]
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], *wheel}
    assert {name for words in copied for name in words[:-1]} == needed
    assert [words for words in copied if words[0] in wheel and words[1] != f"/source/{words[0]}"] == []
    (extras,) = re.findall(r"'/source\[([\w,]+)\]'", steps["RUN"])
    assert set(extras.split(",")) == {"watch", "postgres"} <= project["project"]["optional-dependencies"].keys()
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", steps["FROM"])
    assert steps.keys().isdisjoint({"ARG", "ENV", "ADD"})


def test_the_image_starts_the_controller() -> None:
    steps = image()
    entry = json.loads(steps["ENTRYPOINT"])
    assert entry[entry.index("reconciler") :] == ["reconciler", "watch"]
    for words in (json.loads(steps["CMD"]), container()["args"]):
        assert problem(["watch", *words]) == ""
    assert words[:2] == json.loads(steps["CMD"])
    (probe,) = re.findall(r"'http://127\.0\.0\.1:(\d+)(/\w+)'", steps["HEALTHCHECK"])
    assert probe == ("8322", "/healthz")


def test_the_image_finds_out_whether_it_lives() -> None:
    status = Status(Mode.REPORT, "main")
    alive = [True, False]
    server = Server(("127.0.0.1", 0), lambda: status, alive.pop, Metrics(lambda: status), NOBODY, None)
    python = json.loads(image()["HEALTHCHECK"].partition("CMD ")[2])
    assert python[:2] == ["python", "-c"]
    with server:
        script = python[2].replace("http://127.0.0.1:8322", server.url)
        codes = [
            subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode for _ in "12"
        ]
    assert codes == [1, 0]


# alerts.yaml


def rules() -> list[Json]:
    with (EXAMPLE / "alerts.yaml").open(encoding="utf-8") as file:
        whole = yaml.safe_load(file)
    assert list(whole) == ["groups"]
    for group in whole["groups"]:
        assert group.keys() == {"name", "rules"}
    return [rule for group in whole["groups"] for rule in group["rules"]]


def test_every_alert_has_what_prometheus_reads() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert promql_parser.parse_duration(rule["for"]).total_seconds() > 0


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_only_for_what_is_exposed(rule: Json) -> None:
    assert problems(rule["expr"]) == []
    for text in rule["annotations"].values():
        assert [name for name in templated(text) if name not in result_labels(rule["expr"])] == []


def templated(text: str) -> Iterator[str]:
    """The labels that a text names; anything else between braces is an error."""
    for inner in re.findall(r"\{\{(.*?)\}\}", text):
        label = re.fullmatch(r" \$labels\.(\w+) ", inner)
        assert label or inner in (" $value ", " $value | humanizePercentage "), inner
        if label:
            yield label[1]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("reconciler_leaders == 0", "there is no metric reconciler_leaders"),
        ("rate(reconciler_actions[5m]) > 0", "there is no metric reconciler_actions"),
        ("up == 0 or time() - reconciler_last_success_seconds > 60", "there is no metric up"),
        ('reconciler_held{why="aproval"} == 1', "reconciler_held has no why 'aproval'"),
        ('reconciler_held{why=~"approval|purne"} == 1', "reconciler_held has no why 'purne'"),
        ('reconciler_runs{state="FAILED"} > 0', "reconciler_runs has no label state"),
        ("sum by (part) (reconciler_runs)", "no label part is there to group by"),
        ('{__name__="reconciler_leader"}', "a metric is named by its name, not by a matcher"),
        ("rate(reconciler_actions_total) > 0", "expected type matrix in call to function 'rate', got vector"),
        ("reconciler_leader ==", "invalid promql query"),
    ],
)
def test_what_is_not_exposed_would_be_noticed(expression: str, said: str) -> None:
    assert said in "\n".join(problems(expression))


def test_a_label_that_an_alert_has_not_would_be_noticed() -> None:
    assert set(templated("{{ $labels.part }} of {{ $labels.job }}: {{ $value }}")) == {"part", "job"}
    assert result_labels("sum by (job) (reconciler_consecutive_failures) > 0") == {"job"}
    with pytest.raises(AssertionError):
        list(templated("{{ $label.part }}"))


# dashboard.json


def dashboard() -> Json:
    found: Json = json.loads((EXAMPLE / "dashboard.json").read_text("utf-8"))
    return found


def lost(given: Json) -> list[str]:
    """What Grafana's own library does not know, and leaves out."""
    register_default_plugins()
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    return list(_lost(given, kept, ""))


def _lost(given: Any, kept: Any, where: str) -> Iterator[str]:
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from _lost(value, kept[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, value in enumerate(given):
            yield from _lost(value, kept[number], f"{where}.{number}")
    elif given != kept:
        yield where


def test_grafana_knows_every_field_of_the_dashboard() -> None:
    assert lost(dashboard()) == []


@pytest.mark.parametrize("path", ["titel", "panels.0.fieldConfig.defaults.unitt", "panels.0.options.colour"])
def test_a_misspelt_field_of_the_dashboard_would_be_noticed(path: str) -> None:
    given = dashboard()
    at: Any = given
    *parents, last = path.split(".")
    for part in parents:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = "x"
    assert lost(given) == [f".{path}"]


PANELS: list[Json] = dashboard()["panels"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_only_for_what_is_exposed(panel: Json) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert problems(target["expr"]) == []
        shown = re.findall(r"\{\{(.*?)\}\}", target["legendFormat"])
        assert [label for label in shown if label not in result_labels(target["expr"])] == []


def test_the_dashboard_lets_one_choose_what_it_shows() -> None:
    board = dashboard()
    variables = {item["name"]: item for item in board["templating"]["list"]}
    (asked,) = re.findall(r"label_values\((.*), (\w+)\)", variables["job"]["query"]["query"])
    assert (problems(asked[0]), asked[1]) == ([], "job")
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(PANELS)))
    assert used - {"__rate_interval"} == variables.keys()


def test_panels_lie_beside_each_other() -> None:
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in PANELS)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


# README.md


def test_every_command_line_of_the_readme_exists() -> None:
    text = (EXAMPLE / "README.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    ours = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("reconciler ")]
    assert len(ours) >= 2
    assert [problem(words) for words in ours] == [""] * len(ours)
    assert {path.name for path in EXAMPLE.iterdir()} - {"README.md"} <= set(re.findall(r"`([\w.]+)`", text))
    secret = next(line for line in text.replace("\\\n", " ").splitlines() if "create secret" in line)
    keys = {item["valueFrom"]["secretKeyRef"]["key"] for item in container()["env"]}
    assert set(re.findall(r"--from-(?:file|literal)=([\w-]+)=", secret)) == keys
