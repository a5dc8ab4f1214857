/** A curve the size of a word. */

/** Room (CSS pixels) for the line's width at the edges and for the last point's dot. */
const MARGIN = 2;

/**
 * Range of the finite values (of a log scale: their decimal logarithms); null if there are none.
 */
export function finiteRange(y: Float32Array, log: boolean): [number, number] | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const raw of y) {
    const value = log ? Math.log10(raw) : raw;
    if (!Number.isFinite(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return min <= max ? [min, max] : null;
}

/**
 * Draws `y` over `x` into the canvas at its size on the page.
 *
 * NaN breaks the line; values that are not finite get red ticks at the edge they went to (NaN and
 * +inf above, -inf below). On a log scale values that are not positive break the line too. The
 * newest value ends in a dot.
 *
 * @param x ascending positions, as many as `y`
 * @param color any CSS colour, `var(--name)` included
 */
export function sparkline(
  canvas: HTMLCanvasElement,
  x: Float64Array,
  y: Float32Array,
  color: string,
  opts: { log?: boolean } = {},
): void {
  const ratio = globalThis.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (width === 0 || height === 0) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const ctx = canvas.getContext("2d");
  if (ctx === null) return;
  ctx.clearRect(0, 0, width, height);
  const log = opts.log === true;
  const first = x[0];
  const last = x[x.length - 1];
  if (first === undefined || last === undefined) return;

  const margin = MARGIN * ratio;
  const [low, high] = finiteRange(y, log) ?? [0, 0];
  const toX = (value: number): number =>
    margin + (last > first ? (value - first) / (last - first) : 0.5) * (width - 2 * margin);
  const toY = (value: number): number =>
    height - margin - (high > low ? (value - low) / (high - low) : 0.5) * (height - 2 * margin);

  ctx.strokeStyle = ctx.fillStyle = resolved(canvas, color);
  ctx.lineWidth = 1.25 * ratio;
  ctx.lineJoin = "round";
  ctx.beginPath();
  const bad: [number, boolean][] = [];
  const dots: [number, number][] = [];
  let run = 0;
  for (let i = 0; i < y.length; i++) {
    const raw = y[i] as number;
    const value = log ? Math.log10(raw) : raw;
    const px = toX(x[i] as number);
    if (!Number.isFinite(value)) {
      if (!Number.isFinite(raw)) bad.push([px, raw === Number.NEGATIVE_INFINITY]);
      run = 0;
      continue;
    }
    const py = toY(value);
    if (run === 0) ctx.moveTo(px, py);
    else ctx.lineTo(px, py);
    run++;
    const next = y[i + 1];
    const ends = next === undefined || !Number.isFinite(log ? Math.log10(next) : next);
    if (next === undefined || (ends && run === 1)) dots.push([px, py]);
  }
  ctx.stroke();
  ctx.beginPath();
  for (const [px, py] of dots) {
    ctx.moveTo(px + margin, py);
    ctx.arc(px, py, 1.75 * ratio, 0, 2 * Math.PI);
  }
  ctx.fill();
  if (bad.length === 0) return;
  ctx.fillStyle = resolved(canvas, "var(--nnw-error, #b3261e)");
  for (const [px, below] of bad) {
    ctx.fillRect(px - ratio, below ? height - 4 * ratio : 0, 2 * ratio, 4 * ratio);
  }
}

/** The colour as a canvas understands it: var() and color-mix() are for elements only. */
function resolved(canvas: HTMLCanvasElement, color: string): string {
  const before = canvas.style.color;
  canvas.style.color = color;
  const computed = getComputedStyle(canvas).color || color;
  canvas.style.color = before;
  return computed;
}
