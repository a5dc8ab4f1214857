/** A sentence: why something is not shown, or what to bear in mind. */

import { h, setAttribute, setText } from "../../ui/dom";
import { type IconName, icon, setIcon } from "../../ui/icons";
import type { BlockContext, BlockView } from "./context";
import { titleOf } from "./frame";
import { textOr } from "./types";

const LEVELS: readonly string[] = ["info", "warning", "error"];

export function noteBlock({ words }: BlockContext): BlockView {
  const sign = icon("info");
  const level = h("span", { class: "nnw-spoken" });
  const text = h("span");
  const element = h("p", { class: "nnw-block-note" }, sign, level, text);
  return {
    element,
    draw(block) {
      const asked = textOr(block.meta.level, "info");
      const severity = LEVELS.includes(asked) ? asked : "info";
      setAttribute(element, "data-level", severity);
      setIcon(sign, severity as IconName);
      setText(level, `${words(`ui.severity.${severity}`)} `);
      setText(
        text,
        titleOf(block, words) || words("ui.inspector.block.unknown", { kind: block.kind }),
      );
    },
    repaint() {},
  };
}
