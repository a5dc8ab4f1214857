/** The charts of a view as one PNG: title, legends and curves as they stand on the page. */
import type { Chart } from "./chart";

const PAD = 16;
const TITLE = 24;
const LEGEND = 20;

/** Where a chart goes in the picture, in CSS pixels. */
export interface Tile {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * Tiles in the order and rows of the page, each with room for its legend above; rows are as high
 * as their highest chart. `boxes` are positions on the page.
 */
export function tiles(boxes: readonly Tile[]): { tiles: Tile[]; width: number; height: number } {
  const order = boxes.map((_, index) => index);
  const box = (index: number): Tile => boxes[index] as Tile;
  order.sort((a, b) => box(a).top - box(b).top || box(a).left - box(b).left);
  const placed: Tile[] = boxes.map((one) => ({ ...one }));
  const origin = Math.min(...boxes.map(({ left }) => left));
  let top = PAD + TITLE;
  let rowTop = Number.NEGATIVE_INFINITY;
  let rowHeight = 0;
  for (const index of order) {
    const { left, top: pageTop, height } = box(index);
    if (rowHeight > 0 && pageTop > rowTop + rowHeight / 2) {
      top += LEGEND + rowHeight + PAD;
      rowHeight = 0;
    }
    if (rowHeight === 0) rowTop = pageTop;
    rowHeight = Math.max(rowHeight, height);
    const tile = placed[index] as Tile;
    tile.left = PAD + left - origin;
    tile.top = top + LEGEND;
  }
  const width = Math.max(0, ...placed.map((tile) => tile.left + tile.width)) + PAD;
  return { tiles: placed, width, height: top + LEGEND + rowHeight + PAD };
}

/**
 * @param charts charts that are on show; hidden ones are left out
 * @throws Error when nothing is on show, or when the browser cannot encode the picture
 */
export async function chartsToPng(charts: Chart[], title: string): Promise<Blob> {
  const shown = charts.filter(({ canvas }) => canvas.clientWidth > 0 && canvas.clientHeight > 0);
  const first = shown[0];
  if (first === undefined) throw new Error("No chart is on show.");
  const boxes = shown.map(({ canvas }) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { left, top, width, height };
  });
  const layout = tiles(boxes);
  // As sharp as on the screen: a curve painted for one pixel ratio only blurs at another.
  const ratio = Math.max(...shown.map(({ canvas }) => canvas.width / canvas.clientWidth));
  const picture = document.createElement("canvas");
  picture.width = Math.round(layout.width * ratio);
  picture.height = Math.round(layout.height * ratio);
  const ctx = picture.getContext("2d");
  if (ctx === null) throw new Error("This browser gives no canvas to draw the picture on.");
  ctx.scale(ratio, ratio);
  const { text, surface } = first.look;
  const family = getComputedStyle(first.canvas).fontFamily || "system-ui, sans-serif";
  ctx.fillStyle = surface;
  ctx.fillRect(0, 0, layout.width, layout.height);
  ctx.textBaseline = "middle";
  ctx.fillStyle = text;
  ctx.font = `600 15px ${family}`;
  ctx.fillText(title, PAD, PAD + TITLE / 2 - 4, layout.width - 2 * PAD);
  shown.forEach((chart, index) => {
    const tile = layout.tiles[index] as Tile;
    drawLegend(ctx, chart, tile, family);
    ctx.drawImage(chart.canvas, tile.left, tile.top, tile.width, tile.height);
  });
  return new Promise((resolve, reject) => {
    picture.toBlob((blob) => {
      if (blob === null) reject(new Error("The browser could not encode the picture."));
      else resolve(blob);
    }, "image/png");
  });
}

function drawLegend(ctx: CanvasRenderingContext2D, chart: Chart, tile: Tile, family: string): void {
  const { label, series } = chart.legend;
  const y = tile.top - LEGEND / 2;
  const right = tile.left + tile.width;
  let x = tile.left;
  const write = (words: string, color: string, weight: number): void => {
    if (x >= right) return;
    ctx.font = `${weight} 12px ${family}`;
    ctx.fillStyle = color;
    ctx.fillText(words, x, y, right - x);
    x += ctx.measureText(words).width + 10;
  };
  write(label, chart.look.text, 400);
  for (const { label: name, color } of series) write(name, color, 600);
}
