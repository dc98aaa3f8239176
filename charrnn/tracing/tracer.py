"""
Tracer: record the arrays that each statement of a function computes.

The functions run unmodified: a trace function of the current thread reports lines and calls, so the values are those
of the real run and the source is that of the file.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import FrameType, FunctionType
from typing import Any

import numpy as np
import torch

GIVEN, INSIDE, BOUND, RETURNED = "given", "inside", "bound", "returned"


@dataclass(frozen=True, eq=False)
class Value:
    """An array at one moment, or a part of it; `source` is its expression or name."""

    source: str
    kind: str  # given (argument), inside (a subexpression), bound (assigned), returned
    array: np.ndarray
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Line:
    """A statement, or the head of a block or of the function, with its values."""

    number: int  # of its first line in the file
    source: str
    values: list[Value] = field(default_factory=list)


class Source:
    """A function's source: statements and calls by position."""

    def __init__(self, function: FunctionType):
        self.function, self.code = function, function.__code__
        self.file = inspect.getsourcefile(function) or ""
        self._lines, self.first = inspect.getsourcelines(function)

    @cached_property
    def positions(self) -> list[tuple[int | None, ...]]:
        """Position in the file of each instruction."""
        return list(self.code.co_positions())

    @cached_property
    def indent(self) -> int:
        """Columns by which the function is indented in its file."""
        return len(self._lines[0]) - len(self._lines[0].lstrip())

    @cached_property
    def _dedented(self) -> str:
        return "".join(line[self.indent :] if line.strip() else line for line in self._lines)

    @cached_property
    def tree(self) -> ast.FunctionDef:
        """Syntax tree of the function, with positions relative to its first line."""
        (tree,) = ast.parse(self._dedented).body
        assert isinstance(tree, ast.FunctionDef)
        return tree

    @cached_property
    def calls(self) -> dict[tuple[int | None, ...], ast.Call]:
        """Call nodes by position in the file, as in `co_positions`."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return {self._position(node): node for node in nodes}

    def _position(self, node: ast.Call) -> tuple[int, int, int, int]:
        last, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        return self.first + node.lineno - 1, self.first + last - 1, node.col_offset + self.indent, end + self.indent

    @cached_property
    def statements(self) -> list[tuple[int, int, ast.stmt | None]]:
        """(first line, last line, statement), from 1; compound statements: head only."""
        body = self.tree.body[1:] if ast.get_docstring(self.tree) else self.tree.body
        return [(1, self.tree.body[0].lineno - 1, None), *_flat(body)]

    def statement_at(self, line: int) -> int:
        """Return the index of the statement at a line of the file."""
        return max(i for i, (first, _, _) in enumerate(self.statements) if first <= line - self.first + 1)

    def expression(self, node: ast.expr) -> str:
        """Return the source of an expression on one line."""
        return " ".join((ast.get_source_segment(self._dedented, node) or "").split())

    def text(self, first: int, last: int) -> str:
        """Return the source of lines first … last, from 1, without the indent."""
        lines = self._lines[first - 1 : last]
        return "".join(line[self.indent :] for line in lines).rstrip()


def _flat(body: Sequence[ast.stmt]) -> Iterator[tuple[int, int, ast.stmt | None]]:
    for node in body:
        inner = getattr(node, "body", None)
        if inner and not isinstance(node, ast.FunctionDef):
            yield node.lineno, inner[0].lineno - 1, None
            yield from _flat([*inner, *getattr(node, "orelse", [])])
        else:
            yield node.lineno, node.end_lineno or node.lineno, node


class TraceRun:
    """A call of a traced function: its lines and their values."""

    def __init__(self, source: Source, arguments: dict[str, Any]):
        self.source = source
        self._current: int | None = None  # index of the running statement
        self._inside: list[Value] = []
        self._found: dict[int, list[Value]] = {0: _values(arguments, GIVEN)}

    @property
    def lines(self) -> list[Line]:
        """The statements with the values of their last execution."""
        return [
            Line(self.source.first + first - 1, self.source.text(first, last), self._found.get(i, []))
            for i, (first, last, _) in enumerate(self.source.statements)
        ]

    def on_line(self, line: int, names: dict[str, Any]) -> None:
        """Record that a line is about to run; the previous statement is finished."""
        index = self.source.statement_at(line)
        if index != self._current:
            self._finish_statement(names)
            self._current = index

    def on_call(self, node: ast.Call, arguments: Sequence[Any]) -> None:
        """Record the arguments of a call in the running statement."""
        for expression, value in zip(node.args, arguments, strict=False):
            if not isinstance(expression, ast.Name | ast.Call | ast.Constant):
                self._inside += _values({self.source.expression(expression): value}, INSIDE)

    def on_return(self, node: ast.Call, arguments: Sequence[Any], result: Any) -> None:
        """Record a call's result, unless it is one of its arguments."""
        statement = self.source.statements[self._current or 0][2]
        if getattr(statement, "value", None) is not node and not any(result is argument for argument in arguments):
            self._inside += _values({self.source.expression(node): result}, INSIDE)

    def finish(self, names: dict[str, Any], result: Any) -> None:
        """Record the return value of the function."""
        index = self._current
        self._finish_statement(names)
        if index is not None and isinstance(self.source.statements[index][2], ast.Return):
            self._found[index] += _values({"returned": result}, RETURNED)

    def _finish_statement(self, names: dict[str, Any]) -> None:
        if self._current is not None:
            bound = {name: names[name] for name in _bound_by(self.source.statements[self._current][2]) if name in names}
            self._found[self._current] = [*self._inside, *_values(bound, BOUND)]
        self._inside = []


def _bound_by(statement: ast.stmt | None) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _values(named: dict[str, Any], kind: str) -> list[Value]:
    """Copy the arrays among these values, including those inside named tuples."""
    found = []
    for name, value in named.items():
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray) and np.isrealobj(value):
            found.append(Value(name, kind, value.copy(), value.shape))
        elif kind == GIVEN and isinstance(value, tuple):
            fields = zip(getattr(value, "_fields", ()), value, strict=False)
            found += _values({f"{name}.{field}": part for field, part in fields}, kind)
    return found


@contextmanager
def trace_calls(*functions: Callable[..., Any]) -> Iterator[list[TraceRun]]:
    """
    Record the runs of these functions inside the `with` block, in order of start.

    Only calls of the current thread are traced; a debugger's trace function is suspended.
    """
    sources = {source.code: source for source in map(Source, map(_unwrapped, functions))}
    runs: list[TraceRun] = []
    running: dict[FrameType, TraceRun] = {}

    def on_call(frame: FrameType, event: str, _: Any) -> Any:
        caller = running.get(frame.f_back) if frame.f_back else None
        node = _call(caller, frame.f_back) if caller and frame.f_back else None
        own = sources.get(frame.f_code)
        if node is None and own is None:
            return None
        arguments = _arguments(frame)
        if caller and node:
            caller.on_call(node, arguments)
        if own:
            runs.append(TraceRun(own, dict(frame.f_locals)))
            running[frame] = runs[-1]
        frame.f_trace_lines = own is not None

        def on_event(frame: FrameType, event: str, result: Any) -> Any:
            if event == "line":
                running[frame].on_line(frame.f_lineno, frame.f_locals)
            elif event == "return":
                if own:
                    running.pop(frame).finish(frame.f_locals, result)
                if caller and node:
                    caller.on_return(node, arguments, result)
            return on_event

        return on_event

    previous = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield runs
    finally:
        sys.settrace(previous)


def _unwrapped(function: Callable[..., Any]) -> FunctionType:
    plain = inspect.unwrap(getattr(function, "__func__", function))
    assert isinstance(plain, FunctionType)
    return plain


def _call(caller: TraceRun, frame: FrameType) -> ast.Call | None:
    """Return the call node that the caller is executing."""
    return caller.source.calls.get(caller.source.positions[frame.f_lasti // 2])


def _arguments(frame: FrameType) -> list[Any]:
    """Return the positional arguments of a starting function, without self or cls."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount]
    values = [frame.f_locals[name] for name in names if name in frame.f_locals]
    if code.co_flags & inspect.CO_VARARGS:
        values += frame.f_locals[code.co_varnames[code.co_argcount + code.co_kwonlyargcount]]
    return values[1:] if names[:1] in (("self",), ("cls",), ("_cls",)) else values
