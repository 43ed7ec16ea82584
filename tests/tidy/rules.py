"""Rules for the code that no linter knows. Each takes a source tree and returns its complaints, as file:line texts."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

LINES_MAX = 400
CODE = ("contracts", "shared", "services", "deploy", "notify")
VAGUE_NAMES = {"base", "common", "helper", "helpers", "impl", "manager", "misc", "util", "utils"}
ENVIRONMENT_READERS = ("settings.py",)
SLEEPERS = {"sleep", "wait_for_timeout"}

Node = TypeVar("Node", bound=ast.AST)
Rule = Callable[[Path], list[str]]


def modules_are_short(root: Path) -> list[str]:
    """A module that outgrows 400 lines becomes a package of the same name."""
    return [
        f"{path.relative_to(root)}:{LINES_MAX + 1} goes on for {count} lines"
        for path in _python(root, *CODE, "tests")
        if (count := len(path.read_text().splitlines())) > LINES_MAX
    ]


def names_say_something(root: Path) -> list[str]:
    """No module is called utils, helpers, common, manager, base or impl; only the providers have a base."""
    return [
        f"{path.relative_to(root)}:1 is called {path.stem}"
        for path in _python(root, *CODE)
        if path.stem in VAGUE_NAMES and path.parent.name != "providers"
    ]


def tests_do_not_sleep(root: Path) -> list[str]:
    """Tests wait for conditions with a deadline (`tests/waiting.py`), never for a time. A sleep of 0 gives way."""
    return [
        f"{place} sleeps"
        for place, node in _nodes(root, ast.Call, "tests", but=("tests/waiting.py",))
        if _last_name(node.func) in SLEEPERS
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]


def only_settings_read_the_environment(root: Path) -> list[str]:
    """Every variable is declared, bounded and read once at the start."""
    return [
        f"{place} reads the environment"
        for place, node in _nodes(root, ast.Attribute, "contracts", "shared", "services")
        if node.attr in ("environ", "getenv") and not place.rpartition(":")[0].endswith(ENVIRONMENT_READERS)
    ]


def nothing_branches_on_a_channel(root: Path) -> list[str]:
    """Channel is data; what differs stands in contracts/channels.py."""
    return [
        f"{place} compares with a channel's name"
        for place, node in _nodes(root, ast.Compare, "shared", "services")
        if any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        and any(isinstance(side, ast.Constant) and side.value in ("sms", "push") for side in _sides(node))
    ]


def handlers_let_errors_through(root: Path) -> list[str]:
    """One shared module decides what an unexpected error means; handlers never catch Exception."""
    return [
        f"{place} catches everything"
        for place, node in _nodes(root, ast.ExceptHandler, "services")
        if re.search(r"/(handlers|store)(/|\.py)", place)
        and (node.type is None or _last_name(node.type) in ("Exception", "BaseException"))
    ]


def promises_are_written_down(root: Path) -> list[str]:
    """Every public function and class of contracts and shared says what it promises."""
    complaints = []
    for path in _python(root, "contracts", "shared"):
        tree = ast.parse(path.read_text())
        if tree.body and ast.get_docstring(tree) is None:
            complaints.append(f"{path.relative_to(root)}:1 has no docstring")
        complaints += [
            f"{path.relative_to(root)}:{node.lineno} {node.name} has no docstring"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
            and "versions" not in path.parts
        ]
    return complaints


def topics_have_owner_and_consumer(root: Path) -> list[str]:
    """Every topic is owned by a service and heard by one. The dead letters are everyone's, read by the tool."""
    table = root / "contracts" / "topics.py"
    services = {path.name for path in (root / "services").iterdir() if (path / "__init__.py").exists()}
    heard = {
        _last_name(argument)
        for _, node in _nodes(root, ast.Call, "services")
        if _last_name(node.func) == "Subscription"
        for argument in (*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "topic"))
    }
    complaints = []
    for node in ast.parse(table.read_text()).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        if _last_name(node.value.func) != "Topic":
            continue
        name, owner = _last_name(node.targets[0]), ast.literal_eval(node.value.args[1])
        if name != "DEAD_LETTERS":
            if not services & set(owner.split()):
                complaints.append(f"contracts/topics.py:{node.lineno} {name} is owned by no service")
            if name not in heard:
                complaints.append(f"contracts/topics.py:{node.lineno} nobody hears {name}")
    return complaints


def files_name_no_package_index(root: Path) -> list[str]:
    """Which index packages come from is the user's business: what installs them holds no address, and no option that
    takes one."""
    files = [*(root / "requirements").glob("*"), root / "Makefile", root / "pyproject.toml", root / "deploy/Dockerfile"]
    locks = [path for folder in (*CODE, "tests") for path in (root / folder).rglob("package-lock.json")]
    named = re.compile(r"://(?!127\.0\.0\.1)|index[-_]url|find[-_]links|trusted[-_]host", re.IGNORECASE)
    return [
        f"{path.relative_to(root)}:{number} names a package index"
        for path in (*files, *locks)
        if path.is_file()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if named.search(line)
    ]


RULES: tuple[Rule, ...] = (
    modules_are_short,
    names_say_something,
    tests_do_not_sleep,
    only_settings_read_the_environment,
    nothing_branches_on_a_channel,
    handlers_let_errors_through,
    promises_are_written_down,
    topics_have_owner_and_consumer,
    files_name_no_package_index,
)


def _python(root: Path, *folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((root / folder).rglob("*.py"))


def _nodes(root: Path, kind: type[Node], *folders: str, but: tuple[str, ...] = ()) -> Iterator[tuple[str, Node]]:
    for path in _python(root, *folders):
        name = path.relative_to(root).as_posix()
        if name not in but:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, kind):
                    yield f"{name}:{getattr(node, 'lineno', 0)}", node


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _sides(node: ast.Compare) -> list[ast.expr]:
    return [node.left, *node.comparators]
