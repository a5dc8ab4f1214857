/**
 * What floats above the plot: the crosshair, the values at it, notes, and the names of events.
 *
 * The readout stands in a corner and changes sides only when the crosshair comes near it; its
 * columns keep the width of the widest text they have held, so that nothing jumps.
 */
import type { Reading } from "./chart_data";
import { FLAG_NAN, FLAG_NEGATIVE_INFINITY, FLAG_POSITIVE_INFINITY } from "./chart_types";
import { h, setHidden, setText } from "./dom";

export interface ReadoutRow {
  label: string;
  color: string;
  value: string;
  /** Lowest to highest of the bucket; left out where room is scarce. */
  spread: string;
  /** The step that the value really is from, where it is another. */
  origin: string;
  bad: string;
}

/** Names of the values in a bucket that are not finite, such as "NaN ∞"; empty if there are none. */
export function notFiniteText(flags: number): string {
  const names: string[] = [];
  if (flags & FLAG_NAN) names.push("NaN");
  if (flags & FLAG_POSITIVE_INFINITY) names.push("∞");
  if (flags & FLAG_NEGATIVE_INFINITY) names.push("−∞");
  return names.join(" ");
}

/** A series' line in the readout. */
export function rowOf(
  label: string,
  color: string,
  reading: Reading | null,
  formatY: (value: number) => string,
  formatStep: (step: number) => string,
): ReadoutRow {
  if (reading === null) return { label, color, value: "–", spread: "", origin: "", bad: "" };
  const finite = Number.isFinite(reading.value);
  const ends = [formatY(reading.lo), formatY(reading.hi)] as const;
  return {
    label,
    color,
    value: finite ? formatY(reading.value) : "",
    spread: finite && ends[0] !== ends[1] ? ends.join(" … ") : "",
    origin: reading.exact ? "" : `@ ${formatStep(reading.step)}`,
    bad: notFiniteText(reading.notFinite),
  };
}

/** Height of a row (CSS pixels), as in chart.css. */
const ROW = 15;
/** A plot area below this width (CSS pixels) would vanish behind the whole readout. */
const NARROW = 320;

type RowCells = Record<"swatch" | "label" | "value" | "bad" | "aside", HTMLElement>;

export class Readout {
  readonly #box = h("div", { class: "nnw-chart-readout", "aria-hidden": "true", hidden: true });
  readonly #head = h("div", { class: "nnw-chart-at" });
  readonly #line = h("div", { class: "nnw-chart-crosshair", hidden: true });
  readonly #tip = h("div", { class: "nnw-chart-tip", "aria-hidden": "true", hidden: true });
  readonly #note = h("div", { class: "nnw-chart-note", hidden: true });
  readonly #spoken = h("div", { class: "nnw-spoken", "aria-live": "polite" });
  readonly #dots: HTMLElement[] = [];
  readonly #rows: RowCells[] = [];
  #left = false;
  /** The readout's shape: its width is kept while this stays the same. */
  #shape = "";

  constructor(root: HTMLElement, over: HTMLElement) {
    this.#box.append(this.#head);
    over.append(this.#line, this.#note, this.#box, this.#tip);
    root.append(this.#spoken);
  }

  /** Shows the crosshair at a pixel of a plot area of this size with the values there. */
  show(
    pixel: number,
    { width, height }: { width: number; height: number },
    head: string,
    rows: readonly ReadoutRow[],
  ): void {
    this.#line.style.transform = `translateX(${pixel}px)`;
    setHidden(this.#line, pixel < -0.5 || pixel > width + 0.5);
    setText(this.#head, head);
    // What does not fit below one another goes side by side, without what can be spared.
    const room = Math.max(1, Math.floor((height - 8) / ROW) - 1);
    const columns = Math.ceil(rows.length / room);
    this.#box.style.setProperty("--nnw-columns", String(columns));
    for (const [index, row] of rows.entries()) {
      this.#writeRow(index, columns > 1 || width < NARROW ? { ...row, spread: "" } : row);
    }
    for (const cells of this.#rows.slice(rows.length)) {
      for (const cell of Object.values(cells)) setHidden(cell, true);
    }
    setHidden(this.#box, false);
    this.#place(pixel, width, `${width} ${rows.length}`);
  }

  #writeRow(index: number, row: ReadoutRow): void {
    let cells = this.#rows[index];
    if (cells === undefined) {
      cells = {
        swatch: h("i", { class: "nnw-chart-swatch" }),
        label: h("span", { class: "nnw-chart-name" }),
        value: h("b"),
        bad: h("em"),
        aside: h("small"),
      };
      this.#rows.push(cells);
      this.#box.append(...Object.values(cells));
    }
    for (const element of Object.values(cells)) setHidden(element, false);
    if (cells.swatch.style.background !== row.color) cells.swatch.style.background = row.color;
    setText(cells.label, row.label);
    setText(cells.value, row.value);
    setText(cells.bad, row.bad);
    setText(cells.aside, [row.spread, row.origin].filter((part) => part !== "").join("  "));
  }

  /** Keeps the box out of the crosshair's way; it moves only when it would be covered. */
  #place(pixel: number, width: number, shape: string): void {
    if (shape !== this.#shape) this.#box.style.minWidth = "";
    this.#shape = shape;
    const size = this.#box.offsetWidth;
    const kept = Number.parseFloat(this.#box.style.minWidth) || 0;
    if (size > kept) this.#box.style.minWidth = `${Math.min(size, width)}px`;
    const taken = Math.max(size, kept) + 10;
    if (this.#left && pixel < taken) this.#left = false;
    else if (!this.#left && pixel > width - taken) this.#left = pixel >= taken || pixel > width / 2;
    this.#box.classList.toggle("nnw-chart-readout-left", this.#left);
  }

  /** Dots on the curves where the crosshair meets them; pixels of the plot area. */
  dots(points: readonly { x: number; y: number; color: string }[]): void {
    points.forEach(({ x, y, color }, index) => {
      let dot = this.#dots[index];
      if (dot === undefined) {
        dot = h("i", { class: "nnw-chart-dot" });
        this.#dots.push(dot);
        this.#line.after(dot);
      }
      dot.style.transform = `translate(${x}px, ${y}px)`;
      dot.style.background = color;
      setHidden(dot, false);
    });
    for (const dot of this.#dots.slice(points.length)) setHidden(dot, true);
  }

  hide(): void {
    for (const element of [this.#line, this.#box, this.#tip]) setHidden(element, true);
    this.dots([]);
    setText(this.#spoken, "");
  }

  /** Names what stands above the plot at a pixel; empty text takes the name away. */
  tip(pixel: number, width: number, text: string): void {
    setHidden(this.#tip, text === "");
    if (text === "") return;
    setText(this.#tip, text);
    const half = this.#tip.offsetWidth / 2;
    const at = Math.min(Math.max(pixel, half - 40), Math.max(width - half, half - 40));
    this.#tip.style.transform = `translateX(${at - half}px)`;
  }

  /** A sentence instead of, or below, the curves. */
  note(text: string, middle: boolean): void {
    setText(this.#note, text);
    setHidden(this.#note, text === "");
    this.#note.classList.toggle("nnw-chart-note-middle", middle);
  }

  /** Says the values to a screen reader: the keyboard moved the crosshair. */
  speak(text: string): void {
    setText(this.#spoken, text);
  }
}
