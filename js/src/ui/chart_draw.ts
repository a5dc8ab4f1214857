/** Painting the plot area: everything in device pixels, nothing remembered between frames. */
import type { Range } from "./chart_axes";
import type { Band, Line, Prepared } from "./chart_data";
import type { EdgeMark, Glyph } from "./chart_marks";

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Colours resolved for a canvas. */
export interface Look {
  text: string;
  muted: string;
  grid: string;
  surface: string;
  accent: string;
  error: string;
  series: string[];
}

/** A best point in plot units, with the series it belongs to. */
export interface Ring {
  x: number;
  y: number;
  series: number;
}

export interface Scene {
  box: Box;
  /** Device pixels per CSS pixel. */
  ratio: number;
  x: Range;
  y: Range;
  series: readonly Prepared[];
  edges: readonly EdgeMark[];
  glyphs: readonly Glyph[];
  epochs: readonly number[];
  rings: readonly Ring[];
  /** The time cursor in plot units. */
  cursor: number | null;
  look: Look;
}

const FAINT = 0.5;
/** Many strokes side by side look like an area: fainter, or they hide the smoothed course. */
const FAINT_CROWD = 0.34;
const BAND = 0.16;
/** Points this far apart (CSS pixels) are marked with dots. */
const SPARSE = 12;

class Painter {
  readonly #scene: Scene;
  readonly #ctx: CanvasRenderingContext2D;
  readonly #perX: number;
  readonly #perY: number;

  constructor(ctx: CanvasRenderingContext2D, scene: Scene) {
    const { box, x, y } = scene;
    this.#ctx = ctx;
    this.#scene = scene;
    this.#perX = box.width / (x[1] - x[0]);
    this.#perY = box.height / (y[1] - y[0]);
  }

  x(unit: number): number {
    return this.#scene.box.left + (unit - this.#scene.x[0]) * this.#perX;
  }

  y(unit: number): number {
    const { box, y } = this.#scene;
    return box.top + box.height - (unit - y[0]) * this.#perY;
  }

  /** A line with the pen lifted at NaN; points without a neighbour become dots. */
  line({ x, y }: Line, width: number): void {
    const ctx = this.#ctx;
    const { box, ratio } = this.#scene;
    const right = box.left + box.width;
    const alone: number[] = [];
    ctx.lineWidth = width * ratio;
    ctx.beginPath();
    let run = 0;
    let before = 0;
    for (let i = 0; i <= x.length; i++) {
      const value = i < x.length ? (y[i] as number) : Number.NaN;
      if (!Number.isFinite(value)) {
        if (run === 1) alone.push(i - 1);
        run = 0;
        continue;
      }
      const px = this.x(x[i] as number);
      // Far outside the view nothing needs a segment, and huge coordinates lose precision.
      const hidden = (px < box.left && before < box.left) || (px > right && before > right);
      if (run === 0 || hidden) ctx.moveTo(px, this.y(value));
      else ctx.lineTo(px, this.y(value));
      before = px;
      run++;
    }
    ctx.stroke();
    this.dots({ x, y }, alone, Math.max(1.5, width));
  }

  dots({ x, y }: Line, which: Iterable<number>, radius: number): void {
    const ctx = this.#ctx;
    const r = radius * this.#scene.ratio;
    ctx.beginPath();
    for (const i of which) {
      const px = this.x(x[i] as number);
      const py = this.y(y[i] as number);
      if (!Number.isFinite(py)) continue;
      ctx.moveTo(px + r, py);
      ctx.arc(px, py, r, 0, 2 * Math.PI);
    }
    ctx.fill();
  }

  band({ x, lo, hi }: Band): void {
    const ctx = this.#ctx;
    ctx.beginPath();
    let start = 0;
    for (let i = 0; i <= x.length; i++) {
      if (i < x.length && !Number.isNaN(hi[i] as number)) continue;
      if (i > start) this.#stretch({ x, lo, hi }, start, i - 1);
      start = i + 1;
    }
    ctx.fill();
  }

  /** One closed stretch of a band: along the highest values and back along the lowest. */
  #stretch({ x, lo, hi }: Band, first: number, last: number): void {
    const ctx = this.#ctx;
    const { box, ratio } = this.#scene;
    // At least a pixel wide, or a bucket that spans one step would not be painted at all.
    const at = (i: number): number => {
      const widen = i === first ? -ratio / 2 : i === last ? ratio / 2 : 0;
      return this.x(x[i] as number) + widen;
    };
    ctx.moveTo(at(first), this.y(hi[first] as number));
    for (let i = first + 1; i <= last; i++) ctx.lineTo(at(i), this.y(hi[i] as number));
    for (let i = last; i >= first; i--) {
      const low = lo[i] as number;
      const bottom = box.top + box.height;
      ctx.lineTo(at(i), low === Number.NEGATIVE_INFINITY ? bottom : this.y(low));
    }
    ctx.closePath();
  }

  vertical(px: number, top: number, bottom: number): void {
    this.#ctx.moveTo(px, top);
    this.#ctx.lineTo(px, bottom);
  }
}

/** Fewer points than there is room for: each can be shown as a point. */
function isSparse(series: Prepared, painter: Painter, ratio: number): boolean {
  const { from } = series;
  const n = from.length;
  if (n < 2) return true;
  const distance = painter.x(from[n - 1] as number) - painter.x(from[0] as number);
  return distance / (n - 1) >= SPARSE * ratio;
}

function paintSeries(ctx: CanvasRenderingContext2D, painter: Painter, scene: Scene): void {
  const { series, look, ratio } = scene;
  series.forEach(({ band }, index) => {
    if (band === null) return;
    ctx.fillStyle = look.series[index] ?? look.text;
    ctx.globalAlpha = BAND;
    painter.band(band);
  });
  series.forEach((one, index) => {
    const strong = one.smooth === null;
    ctx.strokeStyle = ctx.fillStyle = look.series[index] ?? look.text;
    const sparse = isSparse(one, painter, ratio);
    ctx.globalAlpha = strong ? 1 : sparse ? FAINT : FAINT_CROWD;
    painter.line(one.raw, strong && one.band === null ? 1.5 : 1);
    // Of a bucket of many points it is not known where its extremes lie: no dots.
    const apart = !one.view.stepLine && one.band === null && sparse;
    if (one.few || apart) {
      painter.dots(one.raw, one.raw.x.keys(), strong ? 2.25 : 1.75);
    }
  });
  ctx.globalAlpha = 1;
  series.forEach(({ smooth }, index) => {
    if (smooth === null) return;
    ctx.strokeStyle = ctx.fillStyle = look.series[index] ?? look.text;
    painter.line(smooth, 1.75);
  });
}

function paintRings(ctx: CanvasRenderingContext2D, painter: Painter, scene: Scene): void {
  const { look, ratio } = scene;
  for (const ring of scene.rings) {
    ctx.beginPath();
    ctx.arc(painter.x(ring.x), painter.y(ring.y), 4 * ratio, 0, 2 * Math.PI);
    ctx.fillStyle = look.surface;
    ctx.fill();
    ctx.lineWidth = 1.75 * ratio;
    ctx.strokeStyle = look.series[ring.series] ?? look.text;
    ctx.stroke();
  }
}

function triangle(ctx: CanvasRenderingContext2D, x: number, y: number, size: number, up: boolean) {
  const tip = up ? y : y + size;
  const base = up ? y + size : y;
  ctx.moveTo(x, tip);
  ctx.lineTo(x + size * 0.6, base);
  ctx.lineTo(x - size * 0.6, base);
  ctx.closePath();
}

/** NaN: a bar at the top edge. Infinities and hidden values: triangles towards where they went. */
function paintEdges(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { box, ratio, look } = scene;
  const size = 6 * ratio;
  const bottom = box.top + box.height;
  for (const { kind, from, to, series } of scene.edges) {
    const left = box.left + from * ratio;
    const right = box.left + to * ratio;
    ctx.beginPath();
    if (kind === "nan") {
      const width = Math.max(2 * ratio, right - left);
      ctx.rect((left + right - width) / 2, box.top, width, 5 * ratio);
    } else {
      const up = kind === "+inf";
      const count = Math.max(1, Math.floor((right - left) / (1.5 * size)));
      for (let k = 0; k < count; k++) {
        const x = left + ((k + 0.5) / count) * (right - left);
        triangle(ctx, x, up ? box.top : bottom - size, size, up);
      }
    }
    if (kind === "not-positive") {
      ctx.lineWidth = ratio;
      ctx.strokeStyle = look.series[series] ?? look.text;
      ctx.stroke();
    } else {
      ctx.fillStyle = look.error;
      ctx.fill();
    }
  }
}

function glyphShape(ctx: CanvasRenderingContext2D, kind: string, x: number, y: number, r: number) {
  if (kind === "pause") {
    ctx.rect(x - r * 0.8, y - r, r * 0.55, 2 * r);
    ctx.rect(x + r * 0.25, y - r, r * 0.55, 2 * r);
  } else if (kind === "resume" || kind === "start") {
    ctx.moveTo(x + r, y);
    ctx.lineTo(x - r * 0.7, y + r);
    ctx.lineTo(x - r * 0.7, y - r);
    ctx.closePath();
  } else if (kind === "stop" || kind === "end") {
    ctx.rect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
  } else if (kind === "lr") {
    ctx.moveTo(x, y - r * 1.1);
    ctx.lineTo(x + r * 1.1, y);
    ctx.lineTo(x, y + r * 1.1);
    ctx.lineTo(x - r * 1.1, y);
    ctx.closePath();
  } else if (kind === "nan") {
    for (const turn of [1, -1]) {
      ctx.moveTo(x - r, y - turn * r);
      ctx.lineTo(x + r, y + turn * r);
    }
  } else {
    ctx.moveTo(x + r * 0.8, y);
    ctx.arc(x, y, r * 0.8, 0, 2 * Math.PI);
  }
}

/** Lines through the plot and small glyphs in the lane above it. */
function paintEvents(ctx: CanvasRenderingContext2D, painter: Painter, scene: Scene): void {
  const { box, ratio, look } = scene;
  const bottom = box.top + box.height;
  ctx.strokeStyle = look.muted;
  ctx.lineWidth = ratio;
  ctx.globalAlpha = 0.5;
  ctx.beginPath();
  for (const offset of scene.epochs) {
    painter.vertical(Math.round(box.left + offset * ratio) + 0.5, bottom - 4 * ratio, bottom);
  }
  ctx.stroke();
  for (const { at, kind } of scene.glyphs) {
    const x = Math.round(box.left + at * ratio) + 0.5;
    const color = kind === "nan" ? look.error : look.muted;
    ctx.strokeStyle = ctx.fillStyle = color;
    ctx.globalAlpha = 0.55;
    ctx.lineWidth = ratio;
    ctx.setLineDash([2 * ratio, 2 * ratio]);
    ctx.beginPath();
    painter.vertical(x, box.top, bottom);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    ctx.beginPath();
    glyphShape(ctx, kind, x, box.top - 6 * ratio, 3.2 * ratio);
    if (kind === "nan") {
      ctx.lineWidth = 1.5 * ratio;
      ctx.stroke();
    } else ctx.fill();
  }
}

/** The moment all widgets look at: a strong line with a handle above the plot. */
function paintCursor(ctx: CanvasRenderingContext2D, painter: Painter, scene: Scene): void {
  const { box, ratio, look, cursor } = scene;
  if (cursor === null) return;
  const x = painter.x(cursor);
  if (x < box.left - 1 || x > box.left + box.width + 1) return;
  ctx.strokeStyle = ctx.fillStyle = look.accent;
  ctx.lineWidth = 1.75 * ratio;
  ctx.beginPath();
  painter.vertical(x, box.top, box.top + box.height);
  ctx.stroke();
  ctx.beginPath();
  triangle(ctx, x, box.top - 5 * ratio, 6 * ratio, false);
  ctx.fill();
}

/** Paints one chart; the context is left as it was found. */
export function paintPlot(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { box, ratio } = scene;
  if (!(box.width > 0) || !(box.height > 0)) return;
  const painter = new Painter(ctx, scene);
  ctx.save();
  ctx.lineJoin = "round";
  paintEvents(ctx, painter, scene);
  ctx.globalAlpha = 1;
  ctx.save();
  ctx.beginPath();
  // Half a line width of room, so that a curve along an edge is not cut in two.
  ctx.rect(box.left - ratio, box.top - ratio, box.width + 2 * ratio, box.height + 2 * ratio);
  ctx.clip();
  paintSeries(ctx, painter, scene);
  ctx.restore();
  paintEdges(ctx, scene);
  paintCursor(ctx, painter, scene);
  paintRings(ctx, painter, scene);
  ctx.restore();
}
