/** A calculation written out, line by line. */

import { h, setAttribute, setText } from "../../ui/dom";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";

const KINDS: readonly string[] = ["head", "term", "result", "note"];

export function arithmeticBlock({ words }: BlockContext): BlockView {
  const list = h("ol", { class: "nnw-arithmetic" });
  const scroll = h("div", { class: "nnw-arithmetic-scroll", tabindex: 0, role: "group" }, list);
  const part = frame("arithmetic", words, scroll);
  const lines: HTMLElement[] = [];

  return {
    element: part.element,
    repaint() {},
    draw(block) {
      setAttribute(scroll, "aria-label", part.draw(block));
      const wanted = Array.isArray(block.meta.lines) ? block.meta.lines : [];
      while (lines.length < wanted.length) {
        const line = h("li");
        list.append(line);
        lines.push(line);
      }
      for (const surplus of lines.splice(wanted.length)) surplus.remove();
      wanted.forEach((line, index) => {
        const [text, kind] = Array.isArray(line) ? line.map(String) : [String(line)];
        const element = lines[index];
        if (element === undefined) return;
        setText(element, text ?? "");
        setAttribute(element, "data-kind", KINDS.includes(kind ?? "") ? kind : "term");
      });
    },
  };
}
