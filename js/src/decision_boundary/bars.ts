/** Numbers beside each other as bars: probabilities with how far they spread, and signed weights. */

import { h, setAttribute, setHidden, setText } from "../ui/dom";

export interface BarRow {
  name: string;
  /** As it is written. */
  number: string;
  /** Where the bar begins and ends, as shares of its track. */
  from: number;
  to: number;
  /** Ends of the line that shows how far the number spreads; null for none. */
  spread: readonly [from: number, to: number] | null;
  color: string;
  /** Stands before the name: the colour that it has in the picture. */
  mark: boolean;
  strong: boolean;
}

export interface Bars {
  element: HTMLElement;
  draw(rows: readonly BarRow[]): void;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;
const within = (share: number): number => Math.min(1, Math.max(0, share));

/** A name that may be broken behind what joins its parts: "color_intensity". */
const breakable = (name: string): string => name.replace(/[_/.-](?=.)/g, "$&\u200b");

/** @param signed marks the middle of each track, where zero is */
export function bars(label: string, signed = false): Bars {
  const kind = signed ? "nnw-bars nnw-bars-signed" : "nnw-bars";
  const element = h("ul", { class: kind, "aria-label": label });
  const add = () => {
    const mark = h("span", { class: "nnw-swatch-dot", "aria-hidden": "true" });
    const name = h("span", { class: "nnw-bar-name" });
    const bar = h("span", { class: "nnw-bar-length" });
    const whisker = h("span", { class: "nnw-bar-spread" });
    const number = h("span", { class: "nnw-bar-number" });
    const track = h("span", { class: "nnw-bar-track", "aria-hidden": "true" }, bar, whisker);
    const row = h("li", { class: "nnw-bar-row" }, h("span", {}, mark, name), track, number);
    element.append(row);
    return { row, mark, name, bar, whisker, number };
  };
  const made: ReturnType<typeof add>[] = [];
  return {
    element,
    draw(rows) {
      while (made.length < rows.length) made.push(add());
      for (const surplus of made.splice(rows.length)) surplus.row.remove();
      rows.forEach((row, at) => {
        const parts = made[at];
        if (parts === undefined) return;
        setText(parts.name, breakable(row.name));
        setAttribute(parts.name, "title", row.name);
        setText(parts.number, row.number);
        setHidden(parts.mark, !row.mark);
        parts.mark.style.background = row.color;
        const [from, to] = [within(Math.min(row.from, row.to)), within(Math.max(row.from, row.to))];
        parts.bar.style.left = percent(from);
        parts.bar.style.width = percent(to - from);
        parts.bar.style.background = row.color;
        setHidden(parts.whisker, row.spread === null);
        const [low, high] = row.spread ?? [0, 0];
        parts.whisker.style.left = percent(within(low));
        parts.whisker.style.width = percent(within(high) - within(low));
        setAttribute(parts.row, "data-strong", row.strong);
      });
    },
  };
}
