/** The input and its maps side by side, on one scale, and how they are laid over each other. */

import { isDark } from "../ui/colormap";
import { button, segmented } from "../ui/controls";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatPercent } from "../ui/format";
import type { Words } from "../ui/i18n";
import type { Cell } from "../ui/pointer";
import { codesOf, countMarks, type Marks, type Scale } from "../ui/raster";
import { scaleBar } from "../ui/scale_bar";
import { slider } from "../ui/slider";
import type { Display, KindContext } from "./context";
import { inputView } from "./image";
import { isShare, unitText } from "./methods";
import { noteList, type PaneView, paneView } from "./pane";
import type { Choices, Pane, Picture } from "./state";

export interface PanesInput {
  picture: Picture;
  choices: Choices | null;
  loading: boolean;
  reachable: boolean;
  busy: boolean;
}

export interface Panes {
  element: HTMLElement;
  draw(input: PanesInput): void;
  repaint(): void;
}

export interface PanesActions {
  explain(): void;
  /** Ends what is being worked out. */
  stop(): void;
  inquire(pane: number, place: readonly number[], anchor: HTMLElement): void;
  dismiss(): void;
  /** What is shown changes by a choice of this page. */
  redraw(): void;
}

const DISPLAYS: readonly Display[] = ["beside", "overlay", "map"];
const OWN_SCALE: readonly string[] = ["table", "other", "sequence"];
const NO_MARKS: Marks = { nan: 0, plus: 0, minus: 0 };

/** What is not finite, of all maps together. */
export function marksOf(panes: readonly Pane[], scale: Scale): Marks {
  return panes.reduce((sum, { map }) => {
    if (map === null) return sum;
    const { nan, plus, minus } = countMarks(codesOf(map.data, scale));
    return { nan: sum.nan + nan, plus: sum.plus + plus, minus: sum.minus + minus };
  }, NO_MARKS);
}

export function panes(words: Words, signal: AbortSignal, actions: PanesActions): Panes {
  let display: Display = "beside";
  let opacity = 0.8;
  const spoken = h("span", { class: "nnw-spoken", role: "status" });
  const say = (text: string) => setText(spoken, text);
  const bar = scaleBar(words);
  const unit = h("span", { class: "nnw-muted" });
  const choose = (wanted: Display) => () => {
    display = wanted;
    actions.redraw();
  };
  const switches = DISPLAYS.map((one) =>
    button({
      label: words(`ui.saliency.display.${one}`),
      title: words(`ui.saliency.display.${one}.hint`),
      kind: "segment",
      signal,
      onClick: choose(one),
    }),
  );
  const opaque = slider({
    label: words("ui.saliency.opacity"),
    min: 0,
    max: 1,
    step: 0.05,
    value: opacity,
    valueWidth: 6,
    format: formatPercent,
    signal,
    onInput(value) {
      opacity = value;
      actions.redraw();
    },
  });
  const displays = segmented(words("ui.saliency.display"), switches);
  const legend = h("div", { class: "nnw-legend-part" }, bar.element, unit);
  const how = h(
    "div",
    { class: "nnw-panes-foot" },
    legend,
    h("span", { class: "nnw-spring" }),
    opaque.element,
    displays,
  );

  const linked = (from: number) => (cell: Cell | null) => {
    if (from >= 0) input.follow?.(cell);
    views.forEach((view, index) => {
      if (index !== from) view.follow(cell);
    });
  };
  const context = (index: number, life: AbortSignal): KindContext => ({
    words,
    signal: life,
    say,
    inquire: (place, anchor) => actions.inquire(index, place, anchor),
    dismiss: actions.dismiss,
    point: bar.point,
  });
  const input = inputView(context(0, signal), linked(-1));
  const inputTitle = h("h3", { class: "nnw-pane-heading" });
  const inputNote = noteList(words);
  const inputFigure = h(
    "figure",
    { class: "nnw-pane nnw-input" },
    inputTitle,
    input.element,
    inputNote.element,
  );
  const views: (PaneView & { gone: AbortController })[] = [];
  const row = h("div", { class: "nnw-panes" }, inputFigure);
  const element = h("div", { class: "nnw-panes-part" }, row, how, spoken);
  let scale: Scale = { low: 0, high: 0, signed: false };
  let marks = NO_MARKS;
  let seen: Picture | null = null;

  let shownInput: Pane | null = null;

  const drawInput = (pane: Pane | undefined): boolean => {
    const shown = pane?.kind === "image" && pane.input !== null && display === "beside";
    setHidden(inputFigure, !shown);
    if (!shown || pane === undefined) return false;
    inputNote.draw(pane.note === null ? [] : [{ level: "info", text: pane.note }]);
    setText(inputTitle, words("ui.saliency.input"));
    const title = words("ui.saliency.input");
    // The picture of an input does not change with the map's colours.
    if (pane !== shownInput) input.draw({ pane, panes: [pane], scale, title, display, opacity });
    shownInput = pane;
    return true;
  };

  return {
    element,
    repaint() {
      bar.draw(scale, marks, isDark(element));
      input.repaint();
      for (const view of views) view.repaint();
    },
    draw({ picture, choices, loading, reachable, busy }) {
      const { panes: wanted } = picture;
      const first = wanted[0];
      scale = picture.scale;
      if (picture !== seen) marks = marksOf(wanted, scale);
      seen = picture;
      while (views.length < wanted.length) {
        const index = views.length;
        const gone = new AbortController();
        signal.addEventListener("abort", () => gone.abort(), { once: true, signal: gone.signal });
        const view = paneView(context(index, gone.signal), {
          explain: actions.explain,
          stop: actions.stop,
          linked: linked(index),
        });
        views.push({ ...view, gone });
        row.append(view.element);
      }
      for (const surplus of views.splice(wanted.length)) {
        surplus.gone.abort();
        surplus.element.remove();
      }
      const image = first?.kind === "image" && first.input !== null;
      const beside = drawInput(first);
      views.forEach((view, index) => {
        const pane = wanted[index];
        if (pane !== undefined) {
          view.draw({
            pane,
            panes: wanted,
            scale,
            display,
            opacity,
            beside,
            choices,
            reachable,
            busy,
          });
        }
      });
      setAttribute(row, "data-kind", first?.kind);
      const figures = wanted.length + Number(beside);
      setAttribute(row, "data-count", wanted.length);
      setAttribute(row, "data-figures", figures);
      row.style.setProperty("--nnw-figures", String(figures));
      setAttribute(element, "aria-busy", String(loading));
      element.classList.toggle("nnw-loading", loading);
      // Bars have their numbers beside them, and fields of a sequence their own scales.
      const coloured = !OWN_SCALE.includes(first?.kind ?? "other");
      const drawn = wanted.some(({ map }) => map !== null);
      setHidden(legend, !coloured || !drawn);
      bar.draw(scale, marks, isDark(element));
      const units = wanted.map((pane) => unitText(pane.method, pane.unit, words));
      const counted = [...new Set(units)].join(" / ");
      const sided = scale.signed && wanted.every(({ method }) => isShare(method));
      const sides = words("ui.saliency.sides");
      setText(unit, sided ? `${counted} · ${sides}` : counted);
      setHidden(displays, !image);
      setHidden(opaque.element, !image || display !== "overlay");
      // While a map is being worked out, what belongs to it keeps its place.
      const never = !drawn && wanted.every(({ state }) => state === "ready");
      setHidden(how, never || (legend.hidden && !image));
      switches.forEach(({ set }, index) => {
        set({ pressed: DISPLAYS[index] === display });
      });
    },
  };
}
