"""The parts of a LayerInspector's picture, built from what the inspector knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nnwidgets._inspector_scene import TABS, Ask, Scene
from nnwidgets._live_part import Packed, Picture
from nnwidgets.catalogue import text
from nnwidgets.live import wire
from nnwidgets.probe.blocks import Block, Words
from nnwidgets.probe.shapes import shape_text

if TYPE_CHECKING:
    from nnwidgets._inspector_looking import Looking

__all__ = ["InspectorPicture"]

_MOST_ROWS: Final = 5_000
_SPARK_POINTS: Final = 40
_SPARK_BYTES: Final = 100_000
_TRAINED: Final = {"all": "none", "none": "all", "part": "part", "": ""}
_NOW: Final = ("activation_mean", "activation_std", "grad_norm", "update_ratio")


class InspectorPicture(Picture):
    """Builds each part, or None when nothing in it has changed since."""

    _widget: Looking

    def _live_extra(self) -> Packed:
        return {"source": self._widget._ask.source}

    def tree(self) -> Packed | None:
        """Every module: name, type, shape, parameters."""
        inspector = self._widget
        inspector._look_if_stale()
        structure = inspector._structure
        if structure is None or self._same("tree", inspector._traces):
            return None
        nodes = inspector._rows_of(structure)
        shown = nodes[:_MOST_ROWS]
        places = {node.index: place for place, node in enumerate(shown) if node.index >= 0}
        failure = structure.failure
        return wire.pack(
            {
                "seq": self._seq(),
                "model": structure.type,
                "rows": [
                    {
                        "name": node.info.name,
                        "type": node.info.type if node.info.name else "",
                        "label": node.label,
                        "depth": node.info.depth,
                        "parent": places.get(node.parent, -1),
                        "params": node.info.n_params,
                        "trainable": _TRAINED[node.frozen],
                        "shape": shape_text(node.info.output_shape),
                        "flops": node.info.flops,
                        "shared": next(iter(node.info.shared_with), None),
                        "calls": node.calls,
                        "container": node.kind == "container",
                        "failed": node.failed,
                    }
                    for node in shown
                ],
                "totals": {
                    "modules": len(structure.nodes),
                    "params": structure.total_params,
                    "trainable": structure.trainable_params,
                    "flops": structure.total_flops,
                    "owners": structure.owners,
                },
                "failure": None if failure is None else {"layer": failure[0], "text": failure[1]},
                "shown": len(shown),
                "all": len(nodes),
            }
        )

    def graph(self) -> Packed | None:
        """The data-flow graph as really executed."""
        inspector = self._widget
        structure = inspector._structure
        if structure is None or self._same("graph", inspector._traces):
            return None
        shown = enumerate(inspector._rows_of(structure))
        places = {node.index: place for place, node in shown if node.index >= 0}
        graph = structure.graph
        return wire.pack(
            {
                "seq": self._seq(),
                "nodes": [
                    {
                        "id": node.id,
                        "kind": node.kind,
                        "layer": places.get(node.layer, -1),
                        "label": node.label,
                        "times": node.times,
                        "parent": places.get(node.parent, -1),
                        "shape": node.shape,
                    }
                    for node in graph.nodes
                ],
                "edges": [list(edge) for edge in graph.edges],
                "note": " ".join(map(self._words, graph.notes)) or None,
            }
        )

    def rows(self) -> Packed | None:
        """Sparklines and badges of all layers."""
        inspector = self._widget
        history, structure = inspector._history, inspector._structure
        language = inspector._shown_language
        if structure is None:
            return None
        state = (history.steps[-1:], len(history.steps), inspector._traces, language)
        if self._same("rows", state):
            return None
        nodes = inspector._rows_of(structure)[:_MOST_ROWS]
        names = [node.info.name for node in nodes]
        places = {name: place for place, name in enumerate(names)}
        points = min(_SPARK_POINTS, max(8, _SPARK_BYTES // (4 * max(1, len(names)))))
        steps, spark = history.sparks("activation_std", points, names)
        now = np.full((len(names), len(_NOW)), np.nan, np.float32)
        for column, statistic in enumerate(_NOW):
            _, values = history.sparks(statistic, 2, names)
            if values.shape[1]:
                now[:, column] = values[:, -1]
        return wire.pack(
            {
                "seq": self._seq(),
                "step": history.steps[-1] if history.steps else None,
                "statistic": "activation_std",
                "badges": [
                    {
                        "row": places[badge.layer],
                        "kind": badge.kind,
                        "severity": badge.severity,
                        "text": badge.text(language),
                        "params": badge.params,
                        "step": badge.step,
                    }
                    for badge in inspector._health.badges()
                    if badge.layer in places
                ],
                "snapshots": bool(inspector._snapshots.steps),
            },
            {
                "steps": steps,
                "spark": spark,
                "now": now,
                "snapshot_steps": np.array(inspector._snapshots.steps, np.float64),
            },
        )

    def layer(self) -> Packed | None:
        """The layer that is shown."""
        inspector = self._widget
        inspector._look_if_stale()
        number, ask, scene, blocks = inspector._view
        if number == 0 or self._same("layer", number):
            return None
        return self.page(ask, scene, blocks)

    def page(self, ask: Ask, scene: Scene | None, blocks: Sequence[Block]) -> Packed:
        """Pack what was made of a question.

        Parameters
        ----------
        ask
            The question.
        scene
            What there was to look at; None if nothing.
        blocks
            What is shown of it.
        """
        inspector = self._widget
        structure = inspector._structure
        nodes = [] if structure is None else inspector._rows_of(structure)
        rows = {node.info.name: node for node in nodes}
        places = {name: place for place, name in enumerate(rows)}
        shown = ask if scene is None else scene.ask
        node = rows.get(shown.layer)
        unit = shown.unit if scene is None else scene.unit
        # Only activations are shown of the training batch; terms are always of the probe batch.
        source = shown.source if shown.tab == "activations" else "probe"
        source = "snapshot" if scene is not None and scene.past else source
        return wire.blocks_part(
            {
                "seq": self._seq(),
                "name": shown.layer,
                "row": places.get(shown.layer, -1),
                "tab": shown.tab,
                "step": inspector.session.step if scene is None else scene.step,
                "source": source,
                "sample_index": shown.sample_index,
                "unit": list(unit) if isinstance(unit, tuple) else unit,
                "shape": "" if node is None else shape_text(node.info.output_shape),
                "calls": 1 if scene is None else scene.calls,
                "sort": shown.sort,
                "call": shown.call,
                "backward": shown.backward,
                "ablated": shown.off,
                "tabs": list(TABS),
            },
            [self._packed(block) for block in blocks],
        )

    def samples(self) -> Packed | None:
        """The probe batch, as thumbnails."""
        probe = self._widget._probe
        if probe is None or self._same("samples", id(probe)):
            return None
        kind, thumbs = probe.picture()
        arrays = {} if thumbs is None else {"thumbs": thumbs}
        return wire.pack(
            {"seq": self._seq(), "kind": kind, "count": probe.count, "labels": None}, arrays
        )

    def _packed(self, block: Block) -> tuple[dict[str, Any], dict[str, Any]]:
        title = None if block.title is None else {"key": block.title[0], "params": block.title[1]}
        head = {
            "kind": block.kind,
            "title": title,
            "text": "" if block.title is None else self._words(block.title),
            "meta": block.meta,
        }
        return head, block.arrays

    def _words(self, words: Words) -> str:
        return text(words[0], self._widget._shown_language, **words[1])
