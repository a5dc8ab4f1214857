/** A histogram: how many numbers lie between two edges. */

import type { Scale } from "../../ui/chart_axes";
import { checkbox } from "../../ui/controls";
import { formatInteger, formatNumber, formatPercent, formatTick } from "../../ui/format";
import { columnSum } from "./arrays";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { plot } from "./plot";
import type { BlockData } from "./types";

const HEIGHT = 140;

export function histogramBlock(context: BlockContext): BlockView {
  const { words, signal, memory } = context;
  let log = memory.get("histogram") === "log";
  let shown: BlockData | null = null;

  const counts = (): ArrayLike<number> => shown?.arrays.counts ?? [];
  const edge = (index: number): number => shown?.arrays.edges?.[index] ?? Number.NaN;
  const heightOf = (count: number): number => (log ? logHeight(count) : count);

  const picture = plot({
    context,
    height: HEIGHT,
    describe: (bin) =>
      words("ui.inspector.histogram.at", {
        low: formatNumber(edge(bin)),
        high: formatNumber(edge(bin + 1)),
        count: formatInteger(counts()[bin] ?? 0),
        share: formatPercent((counts()[bin] ?? 0) / (columnSum(counts()) || 1)),
      }),
    paint(pen, area, toY) {
      const { ctx } = pen;
      const bins = counts().length;
      const zero = toY(0);
      ctx.beginPath();
      ctx.moveTo(area.left, zero);
      for (let bin = 0; bin < bins; bin++) {
        const y = toY(heightOf(counts()[bin] ?? 0));
        ctx.lineTo(area.left + (bin / bins) * area.width, y);
        ctx.lineTo(area.left + ((bin + 1) / bins) * area.width, y);
      }
      ctx.lineTo(area.left + area.width, zero);
      ctx.fillStyle = ctx.strokeStyle = pen.color("series-1");
      ctx.globalAlpha = 0.22;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.lineWidth = 1.25;
      ctx.stroke();
    },
  });
  const part = frame("histogram", words, picture.element);
  part.aside.before(picture.readout);
  part.aside.append(
    checkbox({
      label: words("ui.inspector.histogram.log"),
      checked: log,
      signal,
      onChange(checked) {
        log = checked;
        memory.set("histogram", log ? "log" : "linear");
        paint();
      },
    }),
  );

  const paint = (): void => {
    if (shown === null) return;
    const title = part.draw(shown);
    const bins = counts().length;
    const total = columnSum(counts());
    const [low, high] = [edge(0), edge(bins)];
    let highest = 0;
    for (let bin = 0; bin < bins; bin++) {
      if ((counts()[bin] ?? 0) > (counts()[highest] ?? 0)) highest = bin;
    }
    const zero = high > low ? -low / (high - low) : -1;
    const labels: [number, string][] = [
      [0, formatTick(Number(low.toPrecision(3)))],
      [1, formatTick(Number(high.toPrecision(3)))],
    ];
    // Zero has the first word: it is what a histogram of weights is read by.
    if (zero > 0.12 && zero < 0.88) labels.splice(1, 0, [zero, "0"]);
    picture.draw(
      {
        count: bins,
        extent: [0, heightOf(counts()[highest] ?? 0) || 1],
        labels: () => labels,
        picked: null,
        ...(log && { scale: logScale(counts()[highest] ?? 0) }),
      },
      bins === 0 || total === 0
        ? words("ui.inspector.bars.none", { title })
        : words("ui.inspector.histogram.summary", {
            title,
            count: formatInteger(total),
            low: formatNumber(low),
            high: formatNumber(high),
            from: formatNumber(edge(highest)),
            to: formatNumber(edge(highest + 1)),
          }),
    );
  };

  return {
    element: part.element,
    repaint: picture.repaint,
    draw(block) {
      shown = block;
      paint();
    },
  };
}

/** Decades above 1; an empty bin lies at zero, a decade below a bin of one. */
function logHeight(count: number): number {
  return count > 0 ? 1 + Math.log10(count) : 0;
}

function logScale(highest: number): Scale {
  const top = Math.max(2, Math.ceil(logHeight(highest)));
  const stride = Math.ceil(top / 6);
  const ticks = Array.from({ length: Math.floor(top / stride) + 1 }, (_, index) => index * stride);
  return {
    range: [0, top],
    ticks,
    labels: ticks.map((tick) => (tick === 0 ? "0" : formatTick(10 ** (tick - 1)))),
  };
}
