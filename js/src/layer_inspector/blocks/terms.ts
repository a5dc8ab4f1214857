/** The terms activation × weight that make up one unit, the largest first, and what they sum to. */

import { h, setAttribute, setHidden, setText } from "../../ui/dom";
import { evenFormat } from "../../ui/even_format";
import { formatInteger, formatNumber } from "../../ui/format";
import type { Words } from "../../ui/i18n";
import { columnSum } from "./arrays";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { type BlockData, numberOr } from "./types";

interface Row {
  row: HTMLElement;
  input: HTMLElement;
  bar: HTMLElement;
  numbers: HTMLElement[];
}

/** The parts of the sum; a number that is missing is not finite or is not there. */
export interface Sum {
  /** Of the terms that are listed. */
  listed: number;
  /** Of the others, and how many they are. */
  rest: number;
  others: number;
  bias: number | null;
  total: number;
}

export function sumOf({ meta, arrays }: BlockData): Sum {
  const products = arrays.product ?? new Float32Array(0);
  const others = Math.max(0, numberOr(meta.total, products.length) - products.length);
  const finite = Array.from(products).every(Number.isFinite);
  return {
    listed: finite ? columnSum(products) : Number.NaN,
    rest: others > 0 ? numberOr(meta.rest, Number.NaN) : 0,
    others,
    bias: numberOr(meta.bias, null),
    total: numberOr(meta.sum, Number.NaN),
  };
}

/** "+1.20 (64 terms) − 0.31 (720 others) + 0.05 (bias) = 0.94" in the words of the catalogue. */
export function sumText(
  sum: Sum,
  listed: number,
  words: Words,
  format: (value: number) => string = formatNumber,
): string {
  const parts: [number, string][] = [
    [sum.listed, words("ui.inspector.terms.listed", { count: formatInteger(listed) })],
  ];
  if (sum.others > 0) {
    parts.push([
      sum.rest,
      words("ui.inspector.terms.others", { count: formatInteger(sum.others) }),
    ]);
  }
  if (sum.bias !== null) parts.push([sum.bias, words("ui.inspector.terms.bias")]);
  const text = parts.map(([value, name], index) => {
    const size = format(index === 0 ? value : Math.abs(value));
    const sign = index === 0 ? "" : value < 0 ? "− " : "+ ";
    return `${sign}${size} (${name})`;
  });
  return `${text.join(" ")} = ${format(sum.total)}`;
}

export function termsBlock(context: BlockContext): BlockView {
  const { words } = context;
  const body = h("tbody");
  const foot = h("tfoot");
  const heads = ["input", "product", "activation", "weight"].map((name) =>
    h(
      "th",
      { scope: "col", class: `nnw-terms-${name}`, ...(name === "product" && { colspan: 2 }) },
      words(`ui.inspector.terms.${name}`),
    ),
  );
  const inputHead = heads[0] as HTMLElement;
  const caption = h("caption", { class: "nnw-spoken" });
  const table = h(
    "table",
    { class: "nnw-terms" },
    caption,
    h("thead", {}, h("tr", {}, ...heads)),
    body,
    foot,
  );
  const scroll = h("div", { class: "nnw-terms-scroll", tabindex: 0, role: "group" }, table);
  const sentence = h("p", { class: "nnw-terms-sum" });
  const part = frame("terms", words, scroll, sentence);
  const rows: Row[] = [];
  const others = addRow(foot);
  const bias = addRow(foot);
  const total = addRow(foot);
  total.row.classList.add("nnw-terms-total");

  return {
    element: part.element,
    repaint() {},
    draw(block) {
      const title = part.draw(block);
      setText(caption, title);
      setAttribute(scroll, "aria-label", title);
      const { arrays, shapes } = block;
      const products = arrays.product ?? new Float32Array(0);
      const count = products.length;
      const dims = shapes.inputs?.[1] ?? 1;
      while (rows.length < count) rows.push(addRow(body));
      for (const surplus of rows.splice(count)) surplus.row.remove();
      const sum = sumOf(block);
      const format = evenFormat([...products, sum.rest, sum.total], 4);
      const sizes = [...products, sum.rest, sum.bias ?? 0, sum.total].filter(Number.isFinite);
      const largest = Math.max(0, ...sizes.map(Math.abs));
      rows.forEach((row, index) => {
        const place = Array.from(arrays.inputs?.slice(index * dims, (index + 1) * dims) ?? []);
        write(row, inputText(place), products[index] ?? Number.NaN, largest, format, [
          arrays.activation?.[index] ?? Number.NaN,
          arrays.weight?.[index] ?? Number.NaN,
        ]);
      });
      setText(
        inputHead,
        words(dims === 3 ? "ui.inspector.terms.place" : "ui.inspector.terms.input"),
      );
      setHidden(others.row, sum.others === 0);
      const left = words("ui.inspector.terms.others", { count: formatInteger(sum.others) });
      write(others, left, sum.rest, largest, format, []);
      setHidden(bias.row, sum.bias === null);
      write(bias, words("ui.inspector.terms.bias"), sum.bias ?? 0, largest, format, []);
      write(total, words("ui.inspector.terms.total"), sum.total, largest, format, []);
      setText(sentence, sumText(sum, count, words, format));
    },
  };
}

/** An index as the inputs are counted: "17", "3 · 4, 7" for row 4, column 7 of channel 3. */
export function inputText(place: readonly number[]): string {
  const [first, ...others] = place.map(String);
  return others.length === 0 ? (first ?? "") : `${first} · ${others.join(", ")}`;
}

function addRow(into: HTMLElement): Row {
  const input = h("th", { scope: "row" });
  const bar = h("span", { class: "nnw-terms-bar" });
  const numbers = [0, 1, 2].map(() => h("td", { class: "nnw-number" }));
  const [product, ...factors] = numbers;
  const track = h("td", { class: "nnw-terms-track", "aria-hidden": "true" }, bar);
  const row = h("tr", {}, input, track, product, ...factors);
  into.append(row);
  return { row, input, bar, numbers };
}

function write(
  row: Row,
  name: string,
  product: number,
  largest: number,
  format: (value: number) => string,
  factors: readonly number[],
): void {
  setText(row.input, name);
  const share = Number.isFinite(product) && largest > 0 ? Math.abs(product) / largest : 0;
  const from = product < 0 ? 50 - 50 * share : 50;
  setAttribute(row.bar, "style", `left: ${from.toFixed(2)}%; width: ${(50 * share).toFixed(2)}%;`);
  row.bar.classList.toggle("nnw-negative", product < 0);
  [product, ...factors].forEach((value, index) => {
    const cell = row.numbers[index];
    if (cell === undefined) return;
    setText(cell, index > 0 ? formatNumber(value) : `${value > 0 ? "+" : ""}${format(value)}`);
    cell.classList.toggle("nnw-bad", !Number.isFinite(value));
  });
}
