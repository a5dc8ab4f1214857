/** One map, large: a value for each place, and the place that is picked. */

import { field } from "../../ui/field";
import type { BlockContext, BlockView } from "./context";
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
  const picture = field({
    context,
    largest: { cell: LARGEST, height: LARGEST },
    square: true,
    describe(cell, value) {
      if (shown === null) return "";
      const place = placesOf(shown.block, shown.layer, words).name(cell);
      return words("ui.inspector.at", { place, value: formatValue(value, scaleOf(shown.block)) });
    },
    pick(cell) {
      if (shown !== null && canPick(shown.block, shown.layer) === "place") {
        hooks.pickUnit(placesOf(shown.block, shown.layer, words).unit(unitOf(), cell));
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
      const mine = canPick(block, layer) === "place" && chosenUnit(block, layer) === unitOf();
      picture.draw(
        {
          data: block.arrays.pixels ?? new Float32Array(0),
          start: 0,
          columns,
          rows,
          scale: scaleOf(block),
          x: { ...axis, shown: false },
          y: { ...axis, shown: false },
          picked: mine ? placesOf(block, layer, words).cell(layer.unit) : null,
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
