"""The deployment files, checked without a container engine, a cluster and an init."""

import re
import shutil
import subprocess
import time
import tomllib

import kubernetes_validate
import pytest
import yaml
from stage import end, free_port, sidecar
from tree import DEPLOY, LARDER, ROOT, TOOLS, passes, plain_environment

KUBERNETES = DEPLOY / "kubernetes"


def read(path):
    return list(yaml.safe_load_all(path.read_text()))


def larder_container():
    (deployment,) = read(KUBERNETES / "deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["initContainers"]
    return container


def kubernetes_settings():
    return tomllib.loads((KUBERNETES / "larder.toml").read_text())


def size(text):
    """Bytes of a quantity, in Kubernetes' notation or larder's."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)B?", text).groups()
    return int(number) * {"Mi": 1 << 20, "Gi": 1 << 30}[unit]


# --- the image ---


def test_the_dockerfile_has_no_faults_that_hadolint_knows():
    passes(TOOLS / "hadolint", ROOT / "Dockerfile")


def test_the_image_is_built_with_the_rust_that_the_crate_asks_for():
    wanted = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["rust-version"]
    assert re.search(r"^FROM rust:(\S+)-bookworm", (ROOT / "Dockerfile").read_text(), re.M)[1] == wanted


def test_the_image_s_context_has_all_that_cargo_asks_for(tmp_path):
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    for line in lines:
        if line.startswith("!"):
            source = ROOT / line[1:]
            copy = shutil.copytree if source.is_dir() else shutil.copy
            options = {"ignore": shutil.ignore_patterns("node_modules", "target")} if source.is_dir() else {}
            (tmp_path / line[1:]).parent.mkdir(parents=True, exist_ok=True)
            copy(source, tmp_path / line[1:], **options)
    told = passes("cargo", "metadata", "--offline", "--locked", "--no-deps", "--format-version", "1", cwd=tmp_path)
    sources = re.findall(r'"src_path":"([^"]+)"', told)
    assert sources
    for source in sources:
        assert (tmp_path / source).is_file(), f"{source} is not in the image's context"
    for file in (tmp_path / "src").rglob("*.rs"):
        for included in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', file.read_text()):
            name = file.relative_to(tmp_path)
            assert (file.parent / included).is_file(), f"{included} of {name} is not in the image's context"


def test_the_image_s_base_has_every_library_that_larder_needs():
    libraries = set(re.findall(r"^\s*(lib\w+)", passes("ldd", LARDER), re.M))
    assert libraries <= {"libc", "libm", "libgcc_s"}, libraries


def test_the_health_check_tells_a_sidecar_that_is_there_from_one_that_is_not():
    command = re.search(r"CMD \[(.*)\]\n", (ROOT / "Dockerfile").read_text())[1].replace('"', "").split(", ")
    with sidecar("--admin-listen", "0.0.0.0:0", LARDER_ADMIN_TOKEN="secret") as (_, admin):
        settings = {"LARDER_ADMIN_LISTEN": admin, "LARDER_ADMIN_TOKEN": "secret"}
        assert "accounts" in passes(LARDER, *command[1:], env=settings)
    with pytest.raises(AssertionError, match="no sidecar listens"):
        passes(LARDER, *command[1:], env=settings)


# --- Compose ---


def test_the_compose_file_is_of_the_compose_specification():
    passes(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_what_the_compose_file_mounts_and_names_is_there():
    (compose,) = read(DEPLOY / "compose.yaml")
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            there = (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"]
            assert there, f"{mount} has no source"
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"]
    assert (DEPLOY / compose["services"]["larder"]["build"]["context"] / "Dockerfile").is_file()


def test_larder_understands_the_settings_of_the_compose_file(tmp_path):
    (compose,) = read(DEPLOY / "compose.yaml")
    settings = {
        key: re.sub(r"\$\{\w+:\?[^}]*\}", "secret", value)
        for key, value in compose["services"]["larder"]["environment"].items()
    }
    known = " ".join(passes(LARDER, "serve", "--help").split())
    for key in settings:
        assert f"[env: {key}" in known, key
    passes(LARDER, "check", env=settings | {"LARDER_CACHE_DIR": str(tmp_path)})


def test_the_grafana_of_the_compose_file_finds_prometheus_and_the_boards():
    (compose,) = read(DEPLOY / "compose.yaml")
    (source,) = read(ROOT / "dashboards/provisioning/datasources/larder.yaml")
    (boards,) = read(ROOT / "dashboards/provisioning/dashboards/larder.yaml")
    grafana = compose["services"]["grafana"]
    assert grafana["network_mode"] == "service:prometheus"
    assert source["datasources"][0]["url"] == "http://127.0.0.1:9090"
    assert f"../../dashboards:{boards['providers'][0]['options']['path']}:ro" in grafana["volumes"]


def test_prometheus_takes_its_configuration(tmp_path):
    said = (DEPLOY / "prometheus.yaml").read_text()
    said = said.replace("/etc/prometheus/larder", str(ROOT / "dashboards"))
    said = said.replace("/run/secrets/admin_token", str(ROOT / "LICENSE"))
    (tmp_path / "prometheus.yml").write_text(said)
    assert "21 rules found" in passes("promtool", "check", "config", tmp_path / "prometheus.yml")


# --- Kubernetes ---


def manifests():
    """The base's manifests, and if kubectl is installed, its output."""
    (base,) = read(KUBERNETES / "kustomization.yaml")
    for resource in base["resources"]:
        yield from read(KUBERNETES / resource)
    if shutil.which("kubectl"):
        yield from yaml.safe_load_all(passes("kubectl", "kustomize", KUBERNETES))


def test_the_manifests_are_of_kubernetes_and_of_the_operator():
    # Imported here, because it takes seconds.
    import cloudcoil.models.prometheus_operator.v1 as operator

    seen = set()
    for manifest in manifests():
        seen.add(manifest["kind"])
        if manifest["kind"] == "ServiceMonitor":
            model = operator.ServiceMonitor.model_validate(manifest)
            # The model drops unknown fields.
            assert model.model_dump(by_alias=True, exclude_unset=True, mode="json") == manifest
        else:
            # The oldest version with native sidecars by default, and the newest known.
            for version in ("1.29", kubernetes_validate.latest_version()):
                kubernetes_validate.validate(manifest, version, strict=True)
    assert {"Deployment", "Service", "ServiceMonitor"} <= seen


def test_larder_understands_the_settings_of_the_sidecar():
    container = larder_container()
    known = " ".join(passes(LARDER, "serve", "--help").split())
    for variable in container["env"]:
        assert f"[env: {variable['name']}" in known, variable
    assert container["args"] == ["--config", "/etc/larder/larder.toml"]
    passes(LARDER, "check", "--config", KUBERNETES / "larder.toml", env={"LARDER_ADMIN_TOKEN": "secret"})


def test_the_sidecar_may_have_more_memory_than_it_may_hold():
    settings, provider = kubernetes_settings(), kubernetes_settings()["providers"]["openai"]
    held = [settings["cache"]["memory"], settings["server"]["max_in_flight"], settings["server"]["max_answers"],
            provider["max_queued"]]
    left = size(larder_container()["resources"]["limits"]["memory"]) - sum(map(size, held))
    assert left >= 128 << 20, f"{left} bytes are left for connections and the process"


def test_the_probes_and_the_monitor_ask_where_the_sidecar_answers(stage):
    container, admin = larder_container(), kubernetes_settings()["server"]["admin_listen"]
    (port,) = container["ports"]
    assert admin.endswith(f":{port['containerPort']}")
    (service,) = read(KUBERNETES / "service.yaml")
    (monitor,) = read(KUBERNETES / "servicemonitor.yaml")
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        passes("curl", "--fail", "--silent", f"http://{stage.admin}{asked['path']}")


# --- systemd ---


def units(tmp_path):
    """The units, with the path of this binary."""
    for name in ("larder.service", "larder.socket"):
        said = (DEPLOY / name).read_text().replace("/usr/local/bin/larder", LARDER)
        said = said.replace("/usr/local/lib/larder/larder-reload", str(DEPLOY / "larder-reload"))
        (tmp_path / name).write_text(said)
    return [tmp_path / "larder.service", tmp_path / "larder.socket"]


def test_systemd_finds_no_fault_with_the_units(tmp_path):
    assert passes("systemd-analyze", "verify", *units(tmp_path)) == ""


def test_systemd_finds_little_that_the_service_may_do(tmp_path):
    passes("systemd-analyze", "security", "--offline=true", "--threshold=15", units(tmp_path)[0])


def test_larder_listens_where_it_does_without_systemd_s_sockets():
    server = tomllib.loads((ROOT / "config/larder.toml").read_text())["server"]
    listens = re.findall(r"^ListenStream=(.*)$", (DEPLOY / "larder.socket").read_text(), re.M)
    assert listens[:2] == [server["listen"], server["admin_listen"]]
    assert len(listens) == 3 and listens[2].startswith("/run/")


@pytest.mark.parametrize("names", [None, "proxy:admin:unix"])
def test_a_connection_starts_larder(names, stage, tmp_path):
    """Sockets are passed in the order of the unit, and by names."""
    proxy, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    file = tmp_path / "larder.sock"
    listens = [f"--listen={place}" for place in (proxy, admin, file)]
    named = [f"--fdname={names}"] if names else []
    command = ["systemd-socket-activate", *listens, *named, LARDER, "serve",
               "--upstream", f"http://{stage.provider}/v1"]
    log = tmp_path / "log"
    with open(log, "w") as said:
        process = subprocess.Popen(command, stderr=said, env=plain_environment())
    try:
        while not file.exists() and process.poll() is None:
            time.sleep(0.01)
        for to in ([f"http://{admin}/healthz"], [f"http://{proxy}/v1/models"],
                   ["--unix-socket", file, "http://larder/v1/models"]):
            passes("curl", "--fail", "--silent", "--show-error", *to)
    finally:
        end(process)
    assert f"listening proxy={proxy} admin={admin} unix={file}" in log.read_text()
    assert file.exists()


def test_the_unit_gives_larder_longer_than_it_takes_to_drain():
    drain = tomllib.loads((ROOT / "config/larder.toml").read_text())["server"]["drain"]
    stop = re.search(r"^TimeoutStopSec=(\d+)$", (DEPLOY / "larder.service").read_text(), re.M)[1]
    assert int(stop) > int(drain.removesuffix("s"))
    (compose,) = read(DEPLOY / "compose.yaml")
    assert int(compose["services"]["larder"]["stop_grace_period"].removesuffix("s")) > int(drain.removesuffix("s"))
