"""The plan of the house, read from the source: who imports whom, who prints, what is never used."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import bertft

PACKAGE = Path(bertft.__file__).parent
FLOORS = [
    {"arrays", "cache_folder", "collector", "errors", "notebook", "rows", "terminal", "words"},
    {"contracts", "watch"},
    {"bm25", "settings", "spans"},
    {"recipe"},
    {"encoder"},
    {"loaders"},
    {"evaluation"},
    {"heads"},
    {"checks"},
    {"training"},
    {"engines"},
    {"tasks"},
    {"jobs"},
    {"runs"},
    {"search"},
    {"prediction"},
    {"inside"},
    {"retrieval", "selection"},
    {"reports"},
    {"serving"},
    {"commands"},
    {"console"},
    {"cli"},
    {"__main__"},
]
"""From the ground up: rooms, and files at the top. A room uses those below it, and itself. The
package itself (``bertft``) is its Python API, which opens commands."""
VERB = 150
"""Lines of a file of ``commands/``, which is one verb."""
HEAVY = {"torch", "transformers", "datasets", "accelerate", "evaluate", "matplotlib", "jinja2",
         "scipy"}  # fmt: skip
LIGHT = [
    "bertft",
    "bertft.errors",
    "bertft.recipe",
    "bertft.contracts",
    "bertft.cli.app",
    "bertft.cli.answer",
    "bertft.cli.compare",
    "bertft.cli.data",
    "bertft.cli.distil",
    "bertft.cli.documents",
    "bertft.cli.export",
    "bertft.cli.inside",
    "bertft.cli.launch",
    "bertft.cli.labelling",
    "bertft.cli.lists",
    "bertft.cli.pretrained",
    "bertft.cli.search",
    "bertft.cli.share",
    "bertft.cli.texts",
    "bertft.cli.train",
    "bertft.cli.completion",
    "bertft.cli.verb",
    "bertft.commands.cache",
    "bertft.commands.launch",
    "bertft.commands.models",
    "bertft.commands.predict",
    "bertft.commands.runs",
    "bertft.console.console",
    "bertft.console.runs",
    "bertft.runs.cleaning",
    "bertft.runs.compare",
    "bertft.runs.first_look",
    "bertft.tasks",
]


def modules() -> dict[str, Path]:
    """Dotted name -> file, without the bundled recipes and data."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()
EVERY_MODULE = pytest.mark.parametrize("name", MODULES)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def running(node: ast.AST, *, lazy: bool) -> Iterator[ast.AST]:
    """All nodes that run: not those for type checkers, and functions only where ``lazy``."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            continue
        if not lazy and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from running(child, lazy=lazy)


def imports(name: str, *, lazy: bool = True) -> set[str]:
    """Dotted names of what a module imports, names of ours resolved to modules."""
    found: set[str] = set()
    for node in running(tree(name), lazy=lazy):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import hides where it leads"
            base = str(node.module)
            below = {f"{base}.{alias.name}" for alias in node.names}
            ours = below & MODULES.keys()
            found |= ours | ({base} if len(ours) < len(below) else set())
    return found


def floor(name: str) -> int:
    part = name.split(".")[1]
    return next(number for number, parts in enumerate(FLOORS) if part in parts)


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] == "bertft"}


def test_every_module_has_a_floor() -> None:
    known = {part for parts in FLOORS for part in parts}
    assert {name.split(".")[1] for name in MODULES if "." in name} <= known


@EVERY_MODULE
def test_imports_point_down(name: str) -> None:
    """Also those inside functions. A room may use itself; the top package is never used."""
    if name == "bertft":
        assert imports(name, lazy=False) <= {"__future__", "collections.abc", "pathlib", "typing"}
        return
    for other in ours(imports(name)):
        assert other != "bertft", "the Python API is for users"
        assert floor(other) <= floor(name), f"{name} imports {other}"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Also not by imports inside functions, which only hide a circle."""
    left = {name: ours(imports(name)) - {name} for name in MODULES if name != "bertft"}
    while done := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in done}
    assert not left, f"circles among {sorted(left)}"


@EVERY_MODULE
def test_only_the_console_prints(name: str) -> None:
    """``--version`` alone is answered by typer, before anything else is imported."""
    if name.startswith("bertft.console"):
        return
    assert not any(one.split(".")[0] == "rich" for one in imports(name)), "rich is the console's"
    for node in ast.walk(tree(name)):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        assert called.split(".")[-1] not in {"print", "pprint", "secho"}, called
        assert not re.search(r"std(out|err)\.write", called), called
        assert "echo" not in called or (name == "bertft.cli.app" and "version" in ast.unparse(node))


@EVERY_MODULE
def test_only_the_command_line_imports_typer(name: str) -> None:
    found = {one.split(".")[0] for one in imports(name)}
    assert name.startswith("bertft.cli") or not found & {"typer", "click", "argparse"}


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@EVERY_MODULE
def test_nothing_is_unpickled_and_no_foreign_code_is_run(name: str) -> None:
    """Only ``bertft models convert`` reads a pickle, on demand, with torch's restricted loader."""
    forbidden = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
    assert not {one.split(".")[0] for one in imports(name)} & forbidden
    for called, node in calls(name):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        # Left out, transformers asks the user at the terminal whether to run foreign code.
        if called.endswith(".from_pretrained"):
            assert given["trust_remote_code"] == "False"
        assert called not in {"eval", "exec", "__import__", "os.system"}, called
        assert called not in {"torch.save", "np.load", "numpy.load"}, called
        if called == "torch.load":
            assert name == "bertft.commands.models"
            settings = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert settings["weights_only"] == "True"
        shell = [keyword for keyword in node.keywords if keyword.arg == "shell"]
        assert not shell, f"{called} with a shell"


def test_weights_are_read_from_local_safetensors_only() -> None:
    """There is one place that loads models, and it says so."""
    loading = [
        {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        for name in MODULES
        for called, node in calls(name)
        if re.search(r"(Model\w*|auto_class|architecture)\.from_pretrained$", called)
    ]
    assert len(loading) == 1
    assert loading[0]["use_safetensors"] == loading[0]["local_files_only"] == "True"


@EVERY_MODULE
def test_nothing_is_left_open(name: str) -> None:
    """No unfinished places. NotImplementedError is for what cannot be, and then says what."""
    text = MODULES[name].read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert ast.unparse(node.exc) not in {"NotImplementedError", "NotImplementedError()"}


@EVERY_MODULE
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(tree(name))


def run(code: str) -> str:
    """Run Python anew, free of what this process has imported."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.mark.parametrize("name", LIGHT)
def test_the_entrance_is_light(name: str) -> None:
    """Nothing heavy is imported before a verb needs it."""
    loaded = json.loads(run(f"import json, sys, {name}; print(json.dumps(list(sys.modules)))"))
    assert name in loaded
    assert {one.split(".")[0] for one in loaded} & HEAVY == set()


def test_help_answers_at_once() -> None:
    """A generous bound on CPU time (user + system), which other programs do not disturb."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "bertft", "--help"], capture_output=True, text=True, check=True
    )
    after = os.times()
    assert "bertft" in done.stdout
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 1.0
