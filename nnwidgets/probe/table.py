"""A model's structure as a table of plain text, with what readers of torchinfo look for.

Where torchinfo is wrong the numbers differ: a tied weight counts once; attention's operations are
counted (torchinfo finds none in ``nn.MultiheadAttention``, whose projections are no modules that
run, and it stops at an encoder that takes its fast path). Operations are those of
``torch.utils.flop_counter``, which counts no biases.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from nnwidgets.catalogue import text
from nnwidgets.probe.shapes import shape_text
from nnwidgets.probe.structure import Node, Structure

__all__ = ["summary_text"]

_WIDEST: Final = 48  # columns of a shape that are shown
_GAP: Final = "   "
_NUMBERS: Final = (2, 3)  # columns that are aligned on the right

Say: TypeAlias = Callable[..., str]


def summary_text(structure: Structure, *, depth: int | None = None, language: str = "en") -> str:
    """Write the modules with their shapes, parameters and operations, and the totals.

    Parameters
    ----------
    structure
        What to write.
    depth
        Levels of modules to show, at least 1; None for all. What lies deeper is added to the
        module that holds it, so that the columns still add up to the totals.
    language
        Of the words.

    Returns
    -------
    str
        Lines, without a newline at the end. Sizes are in MB of a million bytes.
    """

    def say(name: str, **params: str) -> str:
        return text(f"probe.table.{name}", language, **params)

    # Column by column: module, shape of the output, parameters, operations, remarks.
    head = [say("layer"), say("shape"), say("params"), say("flops"), ""]
    root = [
        structure.type,
        _clipped(shape_text(structure.output)),
        _count(structure.root_params),
        _count(structure.root_flops),
        "",
    ]
    lines = _aligned([head, root, *_rows(structure, depth, say)])
    totals = [list(_totals(structure, say)), list(_sizes(structure, say))]
    rule = "=" * max(_width(line) for line in (*lines, *totals[0], *totals[1]))
    parts = [rule, lines[0], rule, *lines[1:]]
    for block in totals:
        if block:
            parts += [rule, *block]
    return "\n".join([*parts, rule])


def _rows(structure: Structure, depth: int | None, say: Say) -> Iterator[list[str]]:
    children: dict[int, list[Node]] = {}
    for node in structure.nodes:
        children.setdefault(node.parent, []).append(node)
    # A stack, not recursion: a model may be nested deeper than Python allows.
    pending = [(node, "", node is children[-1][-1]) for node in reversed(children.get(-1, []))]
    while pending:
        node, before, last = pending.pop()
        inside = children.get(node.index, [])
        below = inside if depth is None or node.info.depth + 1 < depth else []
        held = [node] if inside and below else list(_with_descendants(node, children))
        branch = "└─ " if last else "├─ "
        yield [
            f"{before}{branch}{node.info.name.rpartition('.')[2]}: {node.label}",
            _clipped(shape_text(node.info.output_shape)),
            _count(sum(n.info.n_params for n in held)),
            _count(_sum([n.info.flops for n in held])),
            _remarks(node, say),
        ]
        indent = before + ("   " if last else "│  ")
        pending += [(child, indent, child is below[-1]) for child in reversed(below)]


def _with_descendants(node: Node, children: dict[int, list[Node]]) -> Iterator[Node]:
    pending = [node]
    while pending:
        one = pending.pop()
        yield one
        pending += children.get(one.index, [])


def _remarks(node: Node, say: Say) -> str:
    remarks = []
    if node.failed:
        remarks.append(say("failed_here"))
    if node.calls > 1:
        remarks.append(f"×{node.calls}")
    if node.info.shared_with:
        remarks.append(say("tied", names=", ".join(n or "·" for n in node.info.shared_with)))
    if node.frozen == "all":
        remarks.append(say("frozen"))
    elif node.frozen == "part":
        remarks.append(say("partly_frozen"))
    return ", ".join(remarks)


def _totals(structure: Structure, say: Say) -> Iterator[str]:
    total, trainable = structure.total_params, structure.trainable_params
    yield say("total", count=f"{total:,}")
    yield say("trainable", count=f"{trainable:,}")
    yield say("not_trainable", count=f"{total - trainable:,}")
    flops = structure.total_flops
    if flops is not None:
        yield say("total_flops", count=f"{flops:,}")
        yield say("mult_adds", count=f"{flops // 2:,}")


def _sizes(structure: Structure, say: Say) -> Iterator[str]:
    if structure.failure is not None:
        layer = structure.failure.layer or structure.type
        yield say("failed", layer=layer, problem=structure.failure.text)
        return
    weights = structure.parameter_bytes
    if structure.output is not None:
        # What a training step keeps: as much again for the gradients, as torchinfo has it.
        passing = 2 * structure.output_bytes
        yield say("input_size", size=_megabytes(structure.input_bytes))
        yield say("pass_size", size=_megabytes(passing))
        yield say("params_size", size=_megabytes(weights))
        yield say("total_size", size=_megabytes(structure.input_bytes + passing + weights))
    else:
        yield say("params_size", size=_megabytes(weights))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f}"


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _count(value: int | None) -> str:
    return f"{value:,}" if value else "–"


def _clipped(words: str) -> str:
    return words if len(words) <= _WIDEST else words[: _WIDEST - 1] + "…"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(_width(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(cell))
            cells.append(space + cell if i in _NUMBERS else cell + space)
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _width(words: str) -> int:
    """Return how many columns of a terminal a text takes: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)
