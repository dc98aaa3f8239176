"""Join JavaScript modules into one script, each as a function."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

IMPORT = re.compile(r'^import \{ ([^}]*) \} from "([^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (const|class|(?:async )?function\*?) (\w+)", re.MULTILINE)


def bundle(entries: Iterable[str], files: Mapping[str, bytes]) -> str:
    """
    Return a script that defines `charrnnModule(name)`.

    The function returns the exports of a module. The script contains these modules and all that they import.
    """
    scripts = {name: as_function(name, files[name].decode()) for name in modules_of(entries, files)}
    table = ",\n".join(f"{json.dumps(name)}: {source}" for name, source in scripts.items())
    return (
        f'"use strict";\nconst sources = {{\n{table}\n}};\nconst loaded = new Map();\n'
        "globalThis.charrnnModule = (name) => {\n"
        "  if (!loaded.has(name)) loaded.set(name, sources[name](charrnnModule));\n"
        "  return loaded.get(name);\n};\n"
    )


def as_function(name: str, source: str) -> str:
    """
    Rewrite a module as a function that returns its exports.

    Its parameter `use` is a function from the name of another module to that module's exports.
    """
    paths = dict(imports_of(name, source))

    def imported(match: re.Match) -> str:
        names = match[1].replace(" as ", ": ")
        return f"const {{ {names} }} = use({json.dumps(paths[match[2]])});"

    exports = [found[2] for found in EXPORT.finditer(source)]
    body = EXPORT.sub(r"\1 \2", IMPORT.sub(imported, source))
    awaits = "async " if re.search(r"^(?:const \w+ = )?await ", source, re.MULTILINE) else ""
    return f"{awaits}(use) => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}}"


def imports_of(name: str, source: str) -> Iterator[tuple[str, str]]:
    """Yield the relative imports of a module: as written, and the module's path."""
    for _, specifier in IMPORT.findall(source):
        parts: list[str] = []
        for part in [*PurePosixPath(name).parent.parts, *specifier.split("/")]:
            if part == "..":
                parts.pop()
            elif part != ".":
                parts.append(part)
        yield specifier, "/".join(parts)


def modules_of(entries: Iterable[str], files: Mapping[str, bytes]) -> list[str]:
    """Return these modules and all that they import, each after what it imports."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in found:
            for _, path in imports_of(name, files[name].decode()):
                visit(path)
            found[name] = None

    for entry in entries:
        visit(entry)
    return list(found)
