"""Write the reference pages that the code itself knows best, in English and in Korean.

    verbs and their options         ->  docs/{en,ko}/reference/verbs.md
    settings of recipes and tasks   ->  docs/{en,ko}/reference/recipe-keys.md

    python docs/generate.py            write them
    python docs/generate.py --check    exit with 1 and name each page that is stale

What the code does not say stands in docs/en/reference/strings.toml, every English text with its
Korean one in docs/ko/reference/strings.toml. Texts that are not there, and those that no page needs
any more, end the run with a list of them.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from typer.main import get_command

from bertft.cli.app import app
from bertft.settings import (
    DEFAULTS_OF,
    DataSettings,
    LoraSettings,
    ModelSettings,
    TrainingSettings,
)
from bertft.tasks import TASKS, make_task

DOCS = Path(__file__).parent
STRINGS = DOCS / "ko" / "reference" / "strings.toml"
UNSAID = DOCS / "en" / "reference" / "strings.toml"
NOTICE = "<!-- Written by docs/generate.py: change the code or strings.toml, then run it again. -->"

Say = Callable[[str], str]
"""An English text in the language of the page."""
LIMITS = {"ge": "from {}", "gt": "above {}", "le": "up to {}", "lt": "below {}"}


class TranslationError(Exception):
    """Texts of the pages without a Korean one, or Korean ones that no page needs."""


class Korean:
    """Says texts in Korean; ``faults`` are those that have no translation, or are not needed."""

    def __init__(self) -> None:
        self._known = {text: said for one in _read(STRINGS).values() for text, said in one.items()}
        self._asked: dict[str, None] = {}

    def __call__(self, text: str) -> str:
        self._asked[text] = None
        return str(self._known.get(text, text))

    def faults(self) -> list[str]:
        missing = [f"no translation: {text!r}" for text in self._asked if text not in self._known]
        english = [text for one in _read(UNSAID).values() for text in one.values()]
        there = dict.fromkeys([*self._known, *english])
        return missing + [f"not needed: {text!r}" for text in there if text not in self._asked]


def _read(file: Path) -> dict[str, dict[str, str]]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def pages() -> dict[Path, str]:
    """Path -> content of every page. Raises TranslationError."""
    builders = {"verbs.md": verbs_page, "recipe-keys.md": keys_page}
    korean = Korean()
    languages: dict[str, Say] = {"en": str, "ko": korean}
    found = {}
    for language, say in languages.items():
        for name, build in builders.items():
            found[DOCS / language / "reference" / name] = "\n".join(build(say)).rstrip() + "\n"
    if faults := korean.faults():
        raise TranslationError("\n".join([f"{STRINGS}, {UNSAID}:", *faults]))
    return found


def stale_pages() -> list[str]:
    """Pages that are not what the code says now. Raises TranslationError."""
    return [
        str(path.relative_to(DOCS))
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


# --- verbs --------------------------------------------------------------------------------------


def verbs_page(say: Say) -> Iterator[str]:
    root = get_command(app)
    verbs = list(_verbs(root, ("bertft",)))
    about = say(_read(UNSAID)["pages"]["verbs"])
    yield from (NOTICE, "", f"# {say('Verbs')}", "", about, "")
    links = (f"[`{' '.join(path)}`](#{'-'.join(path)})" for path, _ in verbs)
    helps = [say(_one_line(command.help)) for _, command in verbs]
    rows = [list(row) for row in zip(links, helps, strict=True)]
    yield from _table([say("verb"), say("what it does")], rows)
    yield from ("", f"## {say('Options before the verb')}", "")
    yield from _parameters(root, say)
    for (path, command), told in zip(verbs, helps, strict=True):
        yield from ("", f"{'#' * len(path)} `{' '.join(path)}`", "", told, "")
        if not _inner(command):
            yield from ("```text", _usage(path, command), "```", "")
            yield from _parameters(command, say)


def _verbs(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words of the call, command) of every verb, groups before what they hold."""
    for name, command in _inner(group).items():
        if not command.hidden:
            yield (*path, name), command
            yield from _verbs(command, (*path, name))


def _inner(command: Any) -> Mapping[str, Any]:
    return getattr(command, "commands", {})


def _usage(path: tuple[str, ...], command: Any) -> str:
    shown = [one for one in command.params if not one.hidden]
    arguments = [_argument(one) for one in shown if one.param_type_name == "argument"]
    options = ["[OPTIONS]"] * any(one.param_type_name == "option" for one in shown)
    return " ".join([*path, *options, *arguments])


def _argument(parameter: Any) -> str:
    """As a call shows it: FILE, [FILE] where it may be left out, FILE... for several."""
    if parameter.metavar and not parameter.metavar.isupper():
        return str(parameter.metavar)  # it says so itself
    name = str(parameter.metavar or parameter.name.upper()) + "..." * (parameter.nargs == -1)
    return name if parameter.required else f"[{name}]"


def _parameters(command: Any, say: Say) -> Iterator[str]:
    declared = inspect.signature(command.callback, eval_str=True).parameters
    rows = []
    for one in command.params:
        if one.hidden:
            continue
        annotation = declared[one.name].annotation if one.name in declared else str
        is_option = one.param_type_name == "option"
        names = [*one.opts, *one.secondary_opts] if is_option else [_argument(one)]
        shown = ", ".join(f"`{name}`" for name in names)
        value = _value(one, annotation, say) if is_option else ""
        default = _default_of_option(one) if is_option else ""
        rows.append([shown, value, default, say(_one_line(one.help))])
    if rows:
        yield from _table([say("option"), say("value"), say("default"), say("meaning")], rows)


def _value(parameter: Any, annotation: Any, say: Say) -> str:
    """What may stand behind an option; "" behind one that takes no value."""
    if parameter.is_flag:
        return ""
    hint, declared = annotation, None
    if get_origin(annotation) is Annotated:
        hint, declared, *_ = get_args(annotation)
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kind = next(one for one in kinds if one is not NoneType)
    if parameter.metavar:
        shown = f"`{parameter.metavar}`"
    elif isinstance(kind, type) and issubclass(kind, Enum):
        shown = ", ".join(f"`{one.value}`" for one in kind)
    else:
        limits = {"ge": getattr(declared, "min", None), "le": getattr(declared, "max", None)}
        shown = _with_limits(_kind(kind, say), limits, say)
    return f"{shown} {say('(may be repeated)')}" if parameter.multiple else shown


def _default_of_option(parameter: Any) -> str:
    value = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    return "" if value in (None, "", False) else f"`{value}`"


# --- recipe keys --------------------------------------------------------------------------------


def keys_page(say: Say) -> Iterator[str]:
    about = _read(UNSAID)["pages"]
    yield from (NOTICE, "", f"# {say('Recipe keys')}", "", say(about["keys"]))
    sections: dict[str, type[BaseModel]]
    sections = {
        "model": ModelSettings,
        "data": DataSettings,
        "training": TrainingSettings,
        "lora": LoraSettings,
    }
    for name, section in sections.items():
        yield from ("", f"## `[{name}]`", "", say(_one_line(section.__doc__)), "")
        yield from _settings(section, name, say)
    for mode, defaults in DEFAULTS_OF.items():
        title = say(f"Defaults of {mode} mode")
        yield from ("", f"## {title}", "", say(about[mode]), "")
        rows = [[f"`training.{name}`", _literal(value)] for name, value in defaults.items()]
        yield from _table([say("key"), say("default")], rows)
    names = ", ".join(f"`{name}`" for name in TASKS)
    chosen = say("`task.name` chooses the task: {}. Each has options of its own.").format(names)
    yield from ("", "## `[task]`", "", chosen)
    for tasks, options in _options_of_tasks().items():
        yield from ("", f"### `[task]`: {', '.join(f'`{name}`' for name in tasks)}", "")
        yield from _settings(options, "task", say)


def _options_of_tasks() -> dict[tuple[str, ...], type[BaseModel]]:
    """Names of the tasks that share a class of options -> that class."""
    found: dict[type[BaseModel], list[str]] = {}
    for name in TASKS:
        task: Any = make_task({"name": name})
        found.setdefault(type(task.options), []).append(name)
    return {tuple(names): options for options, names in found.items()}


def _settings(section: type[BaseModel], name: str, say: Say) -> Iterator[str]:
    """The table of a section's keys."""
    said = _docstrings(section)
    added = _read(UNSAID)[name]
    rows = []
    for field, facts in section.model_fields.items():
        key = f"{name}.{field}"
        if (field in said) == (field in added):
            raise TranslationError(f"{key}: give it a docstring, or a line in {UNSAID}; not both")
        limits = {
            name: getattr(one, name)
            for one in facts.metadata
            for name in LIMITS
            if hasattr(one, name)
        }
        shown = _with_limits(_kind(facts.annotation, say), limits, say)
        default = _literal(facts.get_default(call_default_factory=True))
        rows.append([f"`{key}`", shown, default, say(said.get(field) or added[field])])
    yield from _table([say("key"), say("type"), say("default"), say("meaning")], rows)


def _docstrings(section: type) -> dict[str, str]:
    """Field -> the string that stands below it in the source."""
    (body,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = _one_line(ast.literal_eval(below.value))
    return found


def _literal(value: Any) -> str:
    """A default as TOML writes it."""
    shown = json.dumps(value, ensure_ascii=False)
    return f"`{re.sub(r'e-0', 'e-', shown) if isinstance(value, float) else shown}`"


# --- both ---------------------------------------------------------------------------------------


def _kind(annotation: Any, say: Say) -> str:
    """A type in words."""
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin is tuple:
        return say("list of {} numbers").format(len(arguments))
    if origin in (Union, UnionType):  # without a value where the default is null
        kinds = (_kind(one, say) for one in arguments if one is not NoneType)
        return f" {say('or')} ".join(kinds)
    if arguments == (int,):
        return say("list of whole numbers")
    words = {
        bool: "true or false",
        int: "whole number",
        float: "number",
        str: "text",
        list: "list of texts",
        dict: "table of texts",
    }
    return say(words[origin or annotation])


def _with_limits(kind: str, limits: Mapping[str, Any], say: Say) -> str:
    told = [say(LIMITS[name]).format(limit) for name, limit in limits.items() if limit is not None]
    return ", ".join([kind, *told])


def _one_line(text: str | None) -> str:
    """A docstring as Markdown in one line."""
    return " ".join((text or "").split()).replace("``", "`")


def _table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        cells = [cell.replace("|", "\\|") for cell in row]
        yield re.sub(r" +\|", " |", f"| {' | '.join(cells)} |")


def main() -> None:
    try:
        if "--check" in sys.argv[1:]:
            if stale := stale_pages():
                sys.exit(f"stale: {', '.join(stale)}; run: python docs/generate.py")
            return
        for path, text in pages().items():
            path.write_text(text, encoding="utf-8")
    except TranslationError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
