/** Hands on: what a click on the picture does, which points it puts there, and ways back. */

import { type Button, button, segmented } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { evenFormat } from "../ui/even_format";
import { formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import { slider } from "../ui/slider";
import { classChoice } from "./class_choice";
import { type DataActions, dataDrawer } from "./data";
import type { Tool } from "./picture/types";
import { say, section } from "./section";
import type { Choices, Points } from "./state";

export interface DrawInput {
  choices: Choices | null;
  points: Points | null;
  reachable: boolean;
}

export interface DrawActions extends DataActions {
  /** The tool or the brush is another one. */
  changed(): void;
  undo(): void;
  redo(): void;
  clear(): void;
}

export interface DrawPart {
  element: HTMLElement;
  readonly tool: Tool;
  /** What is put down: class, value, or null where there are no labels. */
  readonly y: number | null;
  /** Points are put among those that the model does not learn from. */
  readonly test: boolean;
  draw(input: DrawInput): void;
}

const TOOLS: readonly Tool[] = ["ask", "add", "delete", "zoom"];
const STEPS = 100;

export function drawPart(words: Words, signal: AbortSignal, actions: DrawActions): DrawPart {
  let tool: Tool = "ask";
  let brush = 0;
  let value = 0;
  let test = false;
  let write: (value: number) => string = formatNumber;
  let kind: "class" | "value" | "none" = "class";

  const tools = TOOLS.map((one) => ({
    one,
    button: button({
      label: words(`ui.boundary.tool.${one}`),
      title: words(`ui.boundary.tool_hint.${one}`),
      kind: "segment",
      signal,
      onClick() {
        tool = one;
        actions.changed();
      },
    }),
  }));
  const toolbar = segmented(
    words("ui.boundary.tools"),
    tools.map((item) => item.button),
  );
  const brushes = classChoice(words("ui.boundary.brush"), signal, (k) => pick(k));
  const level = slider({
    label: words("ui.boundary.brush.value"),
    min: 0,
    max: 1,
    step: 1 / STEPS,
    value: 0,
    valueWidth: 6,
    format: (now) => write(now),
    signal,
    onInput(now) {
      value = now;
      take();
    },
  });
  const parts = (["train", "test"] as const).map((part) => ({
    part,
    button: button({
      label: words(`ui.boundary.brush.${part}`),
      title: words(`ui.boundary.brush_hint.${part}`),
      kind: "segment",
      signal,
      onClick() {
        test = part === "test";
        actions.changed();
      },
    }),
  }));
  const part = segmented(
    words("ui.boundary.brush.part"),
    parts.map((item) => item.button),
  );
  const quick = (action: "undo" | "redo" | "clear"): Button =>
    button({ label: words(`ui.boundary.${action}`), signal, onClick: actions[action] });
  const [undo, redo, clear] = [quick("undo"), quick("redo"), quick("clear")];
  const data = dataDrawer(words, signal, actions);
  const hint = h("p", { class: "nnw-muted" });
  const brushRow = h("div", { class: "nnw-draw-row" }, brushes.element, level.element, part);
  const editRow = h(
    "div",
    { class: "nnw-draw-row" },
    undo.element,
    redo.element,
    clear.element,
    data.element,
  );
  const { element } = section(
    words("ui.boundary.draw"),
    [],
    h("div", { class: "nnw-draw-row" }, toolbar),
    hint,
    brushRow,
    editRow,
  );
  /** Whoever chooses a class wants to put points of it. */
  const take = (): void => {
    tool = "add";
    actions.changed();
  };
  const pick = (k: number): void => {
    brush = k;
    take();
  };

  return {
    element,
    get tool() {
      return tool;
    },
    get y() {
      if (kind === "none") return null;
      return kind === "class" ? brush : value;
    },
    get test() {
      return test;
    },
    draw({ choices, points, reachable }) {
      const editable = reachable && choices?.editable === true;
      // Where nothing may be edited, looking closer is still possible.
      if (!editable && (tool === "add" || tool === "delete")) tool = "ask";
      for (const { one, button: item } of tools) {
        const edits = one === "add" || one === "delete";
        item.set({ pressed: one === tool, disabled: edits ? !editable : !reachable });
      }
      say(hint, reachable ? words(`ui.boundary.tool_hint.${tool}`) : "");
      drawBrush(choices, points, editable);
      for (const { part: name, button: item } of parts) {
        item.set({ pressed: (name === "test") === test, disabled: !editable });
      }
      undo.set({ disabled: !editable || points?.canUndo !== true });
      redo.set({ disabled: !editable || points?.canRedo !== true });
      clear.set({ disabled: !editable || (points?.drawn ?? 0) === 0 });
      setHidden(brushRow, choices?.editable !== true);
      setHidden(editRow, choices?.editable !== true);
      data.draw(choices?.toys ?? [], editable);
    },
  };

  function drawBrush(choices: Choices | null, points: Points | null, usable: boolean): void {
    const classes = choices?.classes ?? [];
    const values = choices?.kind === "values";
    kind = choices?.labelled === false ? "none" : values ? "value" : "class";
    setHidden(brushes.element, kind !== "class");
    brushes.draw(kind === "class" ? classes : [], brush, usable);
    setHidden(level.element, kind !== "value");
    if (kind !== "value") return;
    const [low, high] =
      points !== null && points.high > points.low ? [points.low, points.high] : [0, 1];
    write = evenFormat([low, high], 2);
    level.setRange(low, high, (high - low) / STEPS);
    value = Math.min(high, Math.max(low, value));
    level.set(value);
    level.setDisabled(!usable);
  }
}
