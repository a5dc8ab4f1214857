/** A picture in natural colours: an input that was made, or one that is looked at. */

import { h, setAttribute } from "../../ui/dom";
import { Sheet } from "../../ui/raster";
import { onResize } from "../../ui/stage";
import { drawPicture } from "../../ui/thumbs";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import type { BlockData } from "./types";

const LARGEST = 260;

export function imageBlock({ words, signal }: BlockContext): BlockView {
  const sheet = new Sheet();
  const canvas = h("canvas", { class: "nnw-image", role: "img" });
  const box = h("div", {}, canvas);
  const part = frame("image", words, box);
  let shown: BlockData | null = null;

  const paint = (): void => {
    const pixels = shown?.arrays.pixels;
    const room = Math.min(LARGEST, box.clientWidth);
    if (pixels === undefined || room === 0) return;
    drawPicture(canvas, sheet, pixels, 0, shown?.shapes.pixels ?? [], room);
  };
  onResize(box, signal, paint);

  return {
    element: part.element,
    repaint: paint,
    draw(block) {
      shown = block;
      const title = part.draw(block);
      const [height = 0, width = 0] = block.shapes.pixels ?? [];
      setAttribute(canvas, "aria-label", words("ui.inspector.image", { title, width, height }));
      paint();
    },
  };
}
