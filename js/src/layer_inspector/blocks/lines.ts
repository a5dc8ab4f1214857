/** Small curves over the steps; numbers of one kind share their axis. */

import { h, setAttribute, setHidden, setText } from "../../ui/dom";
import { formatInteger, formatNumber } from "../../ui/format";
import { extentOf } from "../../ui/pooling";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { axisName } from "./matrix";
import { plot } from "./plot";
import { columnEdges } from "./ridge";
import { textOr, textsOf } from "./types";

const HEIGHT = 130;
/** The colours of theme.css that curves take in turn. */
const COLORS = 8;

export function linesBlock(context: BlockContext): BlockView {
  const { words } = context;
  const legend = h("ul", { class: "nnw-lines-legend" });
  const entries: { item: HTMLElement; name: HTMLElement; value: HTMLElement }[] = [];
  let steps: ArrayLike<number> = [];
  let values: ArrayLike<number> = [];
  let names: string[] = [];
  let axis = "";

  const at = (line: number, place: number): number =>
    values[line * steps.length + place] ?? Number.NaN;
  const picture = plot({
    context,
    height: HEIGHT,
    describe(place) {
      return words("ui.inspector.lines.at", {
        axis,
        place: formatInteger(steps[place] ?? Number.NaN),
        values: names.map((name, line) => `${name} ${formatNumber(at(line, place))}`).join(" · "),
      });
    },
    paint(pen, area, toY) {
      const { ctx } = pen;
      const edges = columnEdges(Float64Array.from(steps));
      // A point stands where its step is: the first and the last at the ends of the axis.
      const [first, last] = [steps[0] ?? 0, steps[steps.length - 1] ?? 0];
      const toX = (place: number): number => {
        const share =
          last > first
            ? ((steps[place] ?? 0) - first) / (last - first)
            : ((edges[place] ?? 0) + (edges[place + 1] ?? 1)) / 2;
        return area.left + share * area.width;
      };
      ctx.lineWidth = 1.5;
      ctx.lineJoin = "round";
      names.forEach((_, line) => {
        ctx.strokeStyle = ctx.fillStyle = pen.color(`series-${(line % COLORS) + 1}`);
        ctx.beginPath();
        let run = 0;
        for (let place = 0; place < steps.length; place++) {
          const value = at(line, place);
          if (!Number.isFinite(value)) {
            if (Number.isNaN(value) || value > 0) ctx.fillRect(toX(place) - 1, area.top, 2, 5);
            else ctx.fillRect(toX(place) - 1, area.top + area.height - 5, 2, 5);
            run = 0;
            continue;
          }
          if (run === 0) ctx.moveTo(toX(place), toY(value));
          else ctx.lineTo(toX(place), toY(value));
          // A point without neighbours would be no line at all.
          if (run === 0 && !Number.isFinite(at(line, place + 1)))
            ctx.fillRect(toX(place) - 1.5, toY(value) - 1.5, 3, 3);
          run++;
        }
        ctx.stroke();
      });
    },
  });
  const part = frame("lines", words, legend, picture.element);
  part.aside.before(picture.readout);

  return {
    element: part.element,
    repaint: picture.repaint,
    draw(block) {
      const title = part.draw(block);
      steps = block.arrays.steps ?? [];
      values = block.arrays.values ?? [];
      axis = axisName(textOr(block.meta.x, "step"), words);
      const lines = block.shapes.values?.[0] ?? 0;
      // The last place of a sequence is no newest value.
      setHidden(legend, block.meta.x !== undefined && lines === 1);
      const named = textsOf(block.meta.names);
      names = Array.from({ length: lines }, (_, line) => named[line] ?? String(line));
      while (entries.length < lines) {
        const [name, value] = [h("span"), h("span", { class: "nnw-lines-value" })];
        const swatch = h("span", { class: "nnw-lines-swatch", "aria-hidden": "true" });
        swatch.style.backgroundColor = `var(--nnw-series-${(entries.length % COLORS) + 1})`;
        const item = h("li", {}, swatch, name, value);
        legend.append(item);
        entries.push({ item, name, value });
      }
      for (const surplus of entries.splice(lines)) surplus.item.remove();
      names.forEach((name, line) => {
        const entry = entries[line];
        if (entry === undefined) return;
        const newest = at(line, steps.length - 1);
        setText(entry.name, name);
        setText(entry.value, formatNumber(newest));
        setAttribute(
          entry.value,
          "class",
          `nnw-lines-value${Number.isFinite(newest) ? "" : " nnw-bad"}`,
        );
      });
      const count = steps.length;
      const [first, last] = [steps[0] ?? 0, steps[count - 1] ?? 0];
      picture.draw(
        {
          count,
          extent: extentOf(values),
          edges: columnEdges(Float64Array.from(steps)),
          labels: () => [
            [0, formatInteger(first)],
            [1, formatInteger(last)],
          ],
          picked: null,
        },
        words("ui.inspector.lines.summary", {
          title,
          axis,
          first: formatInteger(first),
          last: formatInteger(last),
          values: names
            .map((name, line) => `${name} ${formatNumber(at(line, count - 1))}`)
            .join(", "),
        }),
      );
    },
  };
}
