/** The picture, what its colours mean, and how far it can be believed. */

import type { Connection } from "../link";
import { connected } from "../session";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger, formatPercent } from "../ui/format";
import type { Chosen } from "./asking";
import { type Legend, legend } from "./legend";
import { fieldView } from "./picture/field";
import type { Past, PictureContext, Tool } from "./picture/types";
import type { Choices, Points, Rules, Surface } from "./state";

export interface PlaneInput {
  surface: Surface | null;
  points: Points | null;
  choices: Choices | null;
  rules: Rules | null;
  /** The frame of the film under the slider while it is dragged. */
  past: Past | null;
  chosen: Chosen | null;
  tool: Tool;
  /** What is put down: a class, or a value. */
  brush: number;
  loading: boolean;
  connection: Connection;
}

export interface PlanePart {
  element: HTMLElement;
  draw(input: PlaneInput): void;
  focus(): void;
  repaint(): void;
}

export function planePart(context: PictureContext, redraw: () => void): PlanePart {
  const { words, signal } = context;
  /** Classes whose points are hidden, here only: how one looks is no business of the kernel. */
  const hidden = new Set<number>();
  let dots = true;
  const picture = fieldView(context);
  const key: Legend = legend(words, signal, {
    toggle(k) {
      if (!dots) hidden.clear();
      else if (hidden.has(k)) hidden.delete(k);
      else hidden.add(k);
      dots = true;
      redraw();
    },
    dots(shown) {
      dots = shown;
      redraw();
    },
  });
  const state = h("p", { class: "nnw-picture-state", role: "status", hidden: true });
  const quality = h("p", { class: "nnw-picture-quality nnw-muted" });
  const notes = h("ul", { class: "nnw-picture-notes nnw-muted" });
  const element = h(
    "div",
    { class: "nnw-boundary-picture" },
    state,
    picture.element,
    key.element,
    quality,
    notes,
  );
  let written = "";

  return {
    element,
    draw(input) {
      const { surface, points, choices, loading, connection } = input;
      const reachable = connected(connection);
      const classes = choices?.classes ?? [];
      picture.draw({
        surface,
        points,
        film: input.past,
        rules: input.rules,
        chosen: input.chosen,
        tool: input.tool,
        brush: input.brush,
        hidden,
        dots,
        reachable,
        editable: choices?.editable !== false,
        classes,
      });
      element.classList.toggle("nnw-loading", loading && input.past === null);
      const labelled = choices?.labelled !== false;
      key.draw({ surface, points, classes, labelled, hidden, dots });
      const said = stateText(surface);
      setText(state, said);
      setHidden(state, said === "");
      setAttribute(state, "data-state", surface?.state ?? null);
      setAttribute(state, "data-past", surface?.past === true && surface.problem === null);
      setText(quality, qualityText(surface));
      const all = surface?.notes ?? [];
      if (all.join("\n") !== written) {
        written = all.join("\n");
        notes.replaceChildren(...all.map((note) => h("li", {}, note)));
      }
      setHidden(notes, all.length === 0);
    },
    focus() {
      picture.element.querySelector<HTMLElement>("[tabindex]")?.focus({ preventScroll: true });
    },
    repaint: picture.repaint,
  };

  function stateText(surface: Surface | null): string {
    if (surface === null) return "";
    const { problem, state, step, past } = surface;
    if (problem !== null) return problem;
    if (state === "failed") return words("ui.boundary.failed");
    const at = formatInteger(step);
    return past ? words("ui.boundary.past", { step: at }) : "";
  }

  function qualityText(surface: Surface | null): string {
    if (surface === null) return "";
    const { asked, members, past, quality: sentence, state: how, step } = surface;
    const parts = [sentence];
    const old = how === "stale" && !past;
    if (old) parts.push(words("ui.boundary.stale", { step: formatInteger(step) }));
    if (members > 1) parts.push(words("ui.boundary.members", { count: members }));
    if (asked < 1) parts.push(words("ui.boundary.asked", { share: formatPercent(asked) }));
    return parts.filter((part) => part !== "").join(" ");
  }
}
