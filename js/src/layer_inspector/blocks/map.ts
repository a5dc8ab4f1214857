/** One map, large: a value for each place, and the place that is picked. */

import type { BlockContext, BlockView } from "./context";
import { field } from "./field";
import { frame } from "./frame";
import { axisOf, formatValue, scaleOf } from "./matrix";
import { canPick, chosenUnit } from "./picking";
import { placesOf } from "./places";
import { type BlockData, type LayerPicture, numberOr } from "./types";

const LARGEST = 300;

export function mapBlock(context: BlockContext): BlockView {
  const { words, hooks } = context;
  let shown: { block: BlockData; layer: LayerPicture } | null = null;

  const unitOf = (): number => (shown === null ? 0 : channelIn(shown.block, shown.layer));
  const places = () =>
    placesOf(shown?.layer.shape ?? "", shown?.block.shapes.pixels?.slice(-2) ?? [1, 1], words);
  const picture = field({
    context,
    largest: { cell: LARGEST, height: LARGEST },
    square: true,
    describe(cell, value) {
      const number = formatValue(value, shown === null ? { signed: false } : scaleOf(shown.block));
      return words("ui.inspector.at", { place: places().name(cell), value: number });
    },
    pick(cell) {
      if (shown !== null && canPick(shown.block, shown.layer) === "place") {
        hooks.pickUnit([unitOf(), ...places().unit(cell)]);
      }
    },
    escape: () => hooks.pickUnit(null),
  });
  const part = frame("map", words, picture.element);
  const axis = axisOf("", [], undefined, words);

  return {
    element: part.element,
    repaint: picture.repaint,
    draw(block, layer) {
      shown = { block, layer };
      const title = part.draw(block);
      const [rows = 0, columns = 0] = (block.shapes.pixels ?? []).slice(-2);
      const { unit } = layer;
      const placed = canPick(block, layer) === "place" && Array.isArray(unit);
      const chosen = placed && unit[0] === unitOf() ? places().cell(unit) : null;
      picture.draw(
        {
          data: block.arrays.pixels ?? new Float32Array(0),
          start: 0,
          columns,
          rows,
          scale: scaleOf(block),
          x: { ...axis, shown: false },
          y: { ...axis, shown: false },
          picked: chosen,
        },
        title,
      );
    },
  };
}

/** The channel that a map shows: as the block says, else the one that is chosen. */
function channelIn(block: BlockData, layer: LayerPicture): number {
  const { unit } = block.meta;
  const first = Array.isArray(unit) ? unit[0] : unit;
  return numberOr(first, chosenUnit(block, layer) ?? 0);
}
