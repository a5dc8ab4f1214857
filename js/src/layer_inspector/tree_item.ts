/** One row of the module tree: name, type, badges, a curve, the output's shape. */

import { h, setAttribute, setText } from "../ui/dom";
import { formatInteger, formatNumber, formatSi } from "../ui/format";
import type { Words } from "../ui/i18n";
import { icon } from "../ui/icons";
import { sparkline } from "../ui/sparkline";
import type { Badge, ModuleRow, Rows, Severity } from "./state";
import { marks, type VisibleRow } from "./tree_rows";

/** Height of a row in CSS pixels; the style sheet says the same. */
export const ROW_HEIGHT = 26;
/** Badges that a row has room for. */
const MOST_BADGES = 2;
const ORDER: Record<Severity, number> = { error: 0, warning: 1, info: 2 };

export interface ItemInput {
  module: ModuleRow;
  visible: VisibleRow;
  badges: readonly Badge[];
  rows: Rows | null;
  searched: readonly string[];
  selected: boolean;
  /** Has the tree's tab stop. */
  active: boolean;
}

/** Badges of a module: what the kernel has found, and what the model says of itself. */
export function badgesOf(
  module: ModuleRow,
  found: readonly Badge[],
  words: Words,
): (Badge & { label: string })[] {
  const own: Badge[] = [];
  const add = (kind: string, severity: Severity, text: string) =>
    own.push({ kind, severity, text, params: {}, step: null });
  if (module.failed) add("failed", "error", words("ui.inspector.badge.failed.hint"));
  if (module.shared !== null) {
    add("tied", "info", words("ui.inspector.badge.tied.hint", { owner: module.shared }));
  }
  if (module.trainable === "none") add("frozen", "info", words("ui.inspector.badge.frozen.hint"));
  if (module.trainable === "part") add("part", "info", words("ui.inspector.badge.part.hint"));
  return [...found, ...own]
    .sort((a, b) => ORDER[a.severity] - ORDER[b.severity])
    .map((badge) => {
      const { dead } = badge.params;
      const counted = badge.kind === "dead" && dead !== undefined;
      if (counted) return { ...badge, label: words("ui.inspector.badge.count_dead", { dead }) };
      const key = `ui.inspector.badge.${badge.kind}`;
      return { ...badge, label: words.has(key) ? words(key) : badge.kind };
    });
}

/** FLOPs with their unit: 1.93 MFLOPs. */
export function formatFlops(flops: number): string {
  const [, figures = "", letter = ""] = /^(.*?)([kMGT]?)$/.exec(formatSi(flops)) ?? [];
  return `${figures} ${letter}FLOPs`;
}

/** All that is known of a module, a line each: shown when the row is pointed at. */
export function describe(
  module: ModuleRow,
  badges: readonly (Badge & { label: string })[],
  now: Float32Array | undefined,
  words: Words,
): string {
  const lines = [module.name === "" ? module.label : `${module.name} · ${module.label}`];
  if (module.shape !== "") lines.push(words("ui.inspector.row.shape", { shape: module.shape }));
  lines.push(words("ui.inspector.row.params", { count: formatInteger(module.params) }));
  if (module.flops !== null && module.flops > 0) lines.push(formatFlops(module.flops));
  if (module.calls > 1) {
    lines.push(words("ui.inspector.row.calls", { count: formatInteger(module.calls) }));
  }
  const [mean = Number.NaN, std = Number.NaN] = now ?? [];
  if (!Number.isNaN(mean) || !Number.isNaN(std)) {
    const params = { mean: formatNumber(mean), std: formatNumber(std) };
    lines.push(words("ui.inspector.row.now", params));
  }
  for (const { label, text } of badges) lines.push(text === "" ? label : text);
  return lines.join("\n");
}

export class TreeItem {
  readonly element: HTMLElement;
  readonly twisty: HTMLElement;
  readonly #name = h("span", { class: "nnw-tree-name" });
  readonly #type = h("span", { class: "nnw-tree-type" });
  readonly #badges = h("span", { class: "nnw-tree-badges" });
  readonly #spark = h("canvas", { class: "nnw-spark", "aria-hidden": "true" });
  readonly #shape = h("span", { class: "nnw-tree-shape" });
  readonly #words: Words;
  #row = -1;
  #painted: unknown = null;
  #chips = "";

  constructor(words: Words) {
    this.#words = words;
    this.twisty = h("span", { class: "nnw-twisty" }, icon("right"));
    this.element = h(
      "div",
      { class: "nnw-tree-row", role: "treeitem", tabindex: -1 },
      this.twisty,
      this.#name,
      this.#type,
      this.#badges,
      this.#spark,
      this.#shape,
    );
  }

  get row(): number {
    return this.#row;
  }

  draw({ module, visible, badges, rows, searched, selected, active }: ItemInput): void {
    const { element } = this;
    if (visible.row !== this.#row) this.#painted = null;
    this.#row = visible.row;
    const shown = badgesOf(module, badges, this.#words);
    element.style.setProperty("--level", String(visible.level - 1));
    const numbered = /^\d+$/.test(module.short);
    element.classList.toggle("nnw-numbered", numbered);
    element.classList.toggle("nnw-parent", visible.parent);
    element.classList.toggle("nnw-kept", searched.length > 0 && !visible.match);
    setAttribute(element, "aria-level", visible.level);
    setAttribute(element, "aria-posinset", visible.position);
    setAttribute(element, "aria-setsize", visible.siblings);
    setAttribute(element, "aria-expanded", visible.parent ? String(visible.open) : null);
    setAttribute(element, "aria-selected", String(selected));
    setAttribute(element, "tabindex", active ? 0 : -1);
    setAttribute(element, "data-name", module.name);
    setAttribute(element, "title", describe(module, shown, rows?.now(visible.row), this.#words));
    mark(this.#name, module.short, searched);
    mark(this.#type, module.type, searched);
    setText(this.#shape, module.shape);
    this.#drawBadges(shown);
  }

  /** Paints the curve, unless it is the one on the canvas. */
  paint(rows: Rows | null, anew: boolean): void {
    if (!anew && this.#painted === rows) return;
    this.#painted = rows;
    const curve = rows?.spark(this.#row) ?? new Float32Array(0);
    const none = curve.every(Number.isNaN);
    this.#spark.style.visibility = none ? "hidden" : "";
    if (rows !== null && !none) {
      sparkline(this.#spark, rows.steps, curve, "var(--nnw-series-1)");
    }
  }

  #drawBadges(shown: readonly (Badge & { label: string })[]): void {
    const chips = shown.slice(0, MOST_BADGES);
    const more = shown.length - chips.length;
    const key = JSON.stringify([chips.map(({ severity, label }) => [severity, label]), more]);
    if (key === this.#chips) return;
    this.#chips = key;
    const elements = chips.map(({ severity, label }) =>
      h("span", { class: "nnw-chip", "data-severity": severity }, label),
    );
    if (more > 0) elements.push(h("span", { class: "nnw-muted" }, `+${more}`));
    this.#badges.replaceChildren(...elements);
  }
}

/** Writes text with what was searched for marked. */
function mark(element: HTMLElement, text: string, searched: readonly string[]): void {
  const found = marks(text, searched);
  if (found.length === 0) {
    if (element.firstElementChild !== null) element.replaceChildren(text);
    else setText(element, text);
    return;
  }
  const parts: (Node | string)[] = [];
  let at = 0;
  for (const [from, to] of found) {
    parts.push(text.slice(at, from), h("mark", {}, text.slice(from, to)));
    at = to;
  }
  parts.push(text.slice(at));
  element.replaceChildren(...parts);
}
