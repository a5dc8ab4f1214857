/** Per layer: gradient norm, size of the update against the weight, dead units. */

import { disclosure } from "../ui/controls";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger, formatNumber, formatPercent, formatRatio } from "../ui/format";
import type { Words } from "../ui/i18n";
import { sparkline } from "../ui/sparkline";
import type { LayerRow, Layers } from "./state";

const COLOR = "var(--nnw-series-1)";
/** Share of a layer's units from which on dead ones are a finding, as in probe/health_units.py. */
const SOME_DEAD = 0.25;

export interface LayersTable {
  element: HTMLElement;
  draw(layers: Layers | null): void;
  repaint(): void;
}

interface RowElements {
  row: HTMLElement;
  name: HTMLElement;
  label: HTMLElement;
  frozen: HTMLElement;
  gradient: HTMLCanvasElement;
  gradientNow: HTMLElement;
  update: HTMLCanvasElement;
  updateNow: HTMLElement;
  dead: HTMLElement;
}

export function layersTable(words: Words, signal: AbortSignal): LayersTable {
  const head = (key: string, className: string) =>
    h("th", { scope: "col", class: className, title: words(`${key}.hint`) }, words(key));
  // Where there is no room for the curves, the numbers take over their headings.
  const now = (key: string) =>
    h(
      "th",
      { scope: "col", class: "nnw-number" },
      h("span", { class: "nnw-only-wide" }, words("ui.layers.now")),
      h("span", { class: "nnw-only-narrow" }, words(key)),
    );
  const rows: RowElements[] = [];
  const body = h("tbody");
  const table = h(
    "table",
    { class: "nnw-layers" },
    h("caption", { class: "nnw-spoken" }, words("ui.layers.caption")),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, words("ui.layers.layer")),
        head("ui.layers.gradient", "nnw-wide"),
        now("ui.layers.gradient"),
        head("ui.layers.update", "nnw-wide"),
        now("ui.layers.update"),
        head("ui.layers.dead", "nnw-number"),
      ),
    ),
    body,
  );
  const scroll = h(
    "div",
    { class: "nnw-layers-scroll", tabindex: 0, role: "region", "aria-label": words("ui.layers") },
    table,
  );
  const part = disclosure(words("ui.layers"), scroll, {
    open: true,
    signal,
    onToggle: (open) => {
      if (open) paint();
    },
  });
  const stamp = h("span", { class: "nnw-muted" });
  const element = h(
    "section",
    { class: "nnw-layers-part", hidden: true },
    h("div", { class: "nnw-part-head" }, part.button, stamp),
    scroll,
  );
  let shown: Layers | null = null;

  const paint = () => {
    if (shown === null || scroll.hidden) return;
    // Read the window once: only rows that can be seen are painted.
    const { scrollTop, clientHeight } = scroll;
    shown.rows.forEach((layer, index) => {
      const cells = rows[index];
      if (cells === undefined || shown === null) return;
      const top = cells.row.offsetTop;
      if (clientHeight > 0 && (top > scrollTop + clientHeight || top + 40 < scrollTop)) return;
      sparkline(cells.gradient, shown.steps, layer.gradNorm, COLOR, { log: true });
      sparkline(cells.update, shown.steps, layer.updateRatio, COLOR, { log: true });
    });
  };
  scroll.addEventListener("scroll", paint, { signal, passive: true });
  if (typeof ResizeObserver === "function") {
    const observer = new ResizeObserver(paint);
    observer.observe(scroll);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  const write = (cells: RowElements, layer: LayerRow) => {
    setText(cells.name, layer.name);
    setText(cells.label, layer.label);
    setHidden(cells.frozen, !layer.frozen);
    writeNumber(cells.gradientNow, layer.gradNorm, formatNumber);
    writeNumber(cells.updateNow, layer.updateRatio, formatRatio);
    const [text, title, alarm] = deadText(layer, words);
    setText(cells.dead, text);
    setAttribute(cells.dead, "title", title);
    cells.dead.classList.toggle("nnw-badge", alarm);
    setAttribute(
      cells.gradient,
      "aria-label",
      words("ui.layers.trend", { name: layer.name, what: words("ui.layers.gradient") }),
    );
    setAttribute(
      cells.update,
      "aria-label",
      words("ui.layers.trend", { name: layer.name, what: words("ui.layers.update") }),
    );
  };

  return {
    element,
    draw(layers) {
      if (layers === shown) return;
      shown = layers;
      const sampled = (layers?.steps.length ?? 0) > 0;
      const count = sampled ? (layers?.rows.length ?? 0) : 0;
      setHidden(element, count === 0);
      while (rows.length < count) rows.push(addRow(body, words));
      for (const surplus of rows.splice(count)) surplus.row.remove();
      layers?.rows.forEach((layer, index) => {
        const cells = rows[index];
        if (cells !== undefined) write(cells, layer);
      });
      setText(
        stamp,
        layers === null ? "" : words("ui.layers.at", { step: formatInteger(layers.step) }),
      );
      paint();
    },
    repaint: paint,
  };
}

function addRow(body: HTMLElement, words: Words): RowElements {
  const canvas = () => h("canvas", { class: "nnw-spark", role: "img" });
  const cells = {
    name: h("span", { class: "nnw-layer-name" }),
    label: h("span", { class: "nnw-muted" }),
    frozen: h("span", { class: "nnw-tag" }, words("ui.layers.frozen")),
    gradient: canvas(),
    gradientNow: h("td", { class: "nnw-number" }),
    update: canvas(),
    updateNow: h("td", { class: "nnw-number" }),
    dead: h("span"),
  };
  const row = h(
    "tr",
    {},
    h("th", { scope: "row" }, cells.name, " ", cells.label, " ", cells.frozen),
    h("td", { class: "nnw-wide" }, cells.gradient),
    cells.gradientNow,
    h("td", { class: "nnw-wide" }, cells.update),
    cells.updateNow,
    h("td", { class: "nnw-number" }, cells.dead),
  );
  body.append(row);
  return { row, ...cells };
}

function writeNumber(
  cell: HTMLElement,
  values: Float32Array,
  format: (value: number) => string,
): void {
  const value = values.at(-1);
  setText(cell, value === undefined ? "–" : format(value));
  cell.classList.toggle("nnw-bad", value !== undefined && !Number.isFinite(value));
}

/** Text, explanation, and whether it is a reason to look. */
function deadText(layer: LayerRow, words: Words): [string, string, boolean] {
  if (!layer.deadKnown || !Number.isFinite(layer.dead)) {
    return ["–", words("ui.layers.dead.unknown"), false];
  }
  const dead = formatInteger(layer.dead);
  const units = formatInteger(layer.units);
  const share = layer.dead / layer.units;
  return [words("ui.layers.dead.of", { dead, units }), formatPercent(share), share >= SOME_DEAD];
}
