/** The bar of controls: steer the run on the left, the picture on the right. */

import type { Link } from "../link";
import { conditionOf, connected } from "../session";
import { button, checkbox, segmented, select } from "../ui/controls";
import { h, setText } from "../ui/dom";
import { formatFactor, formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import { menu } from "../ui/popup";
import { logSlider, slider } from "../ui/slider";
import type { ExportFormat } from "./files";
import type { ViewOptions } from "./options";
import type { Live } from "./state";

export interface ToolbarActions {
  /** Sends a click to the kernel; what goes wrong is shown by the view. */
  act(action: string, args?: { value: number }): Promise<boolean>;
  change(options: Partial<ViewOptions>): void;
  save(format: ExportFormat): void;
}

export interface Toolbar {
  element: HTMLElement;
  draw(live: Live | null): void;
}

/** How long the learning rate must rest before it is sent, in milliseconds. */
const SETTLE = 120;

const FORMATS: readonly ExportFormat[] = ["png", "svg", "csv", "json"];

export function toolbar(
  link: Link,
  words: Words,
  options: ViewOptions,
  signal: AbortSignal,
  actions: ToolbarActions,
): Toolbar {
  let paused = false;
  const pause = button({
    label: words("ui.pause"),
    icon: "pause",
    kind: "segment",
    signal,
    onClick: () => void actions.act(paused ? "resume" : "pause"),
  });
  const step = button({
    label: words("ui.step"),
    icon: "step",
    kind: "segment",
    title: words("ui.step.hint"),
    signal,
    onClick: () => void actions.act("step"),
  });
  const stop = button({
    label: words("ui.stop"),
    icon: "stop",
    kind: "segment",
    title: words("ui.stop.hint"),
    signal,
    onClick: () => void actions.act("stop"),
  });
  const rate = learningRate(words, signal, actions);
  const smoothing = slider({
    label: words("ui.smoothing"),
    min: 0,
    max: 0.99,
    step: 0.01,
    value: options.smoothing,
    valueWidth: 4,
    format: (value) => value.toFixed(2),
    signal,
    onInput: (value) => actions.change({ smoothing: value }),
  });
  smoothing.element.classList.add("nnw-smoothing");
  const logY = checkbox({
    label: words("ui.log_y"),
    checked: options.logY,
    signal,
    onChange: (checked) => actions.change({ logY: checked }),
  });
  const axis = select({
    label: words("ui.x_axis"),
    name: words("ui.x_axis.name"),
    value: options.xMode,
    choices: (["step", "epoch", "time"] as const).map((value) => ({
      value,
      label: words(`ui.x_axis.${value}`),
    })),
    signal,
    onChange: (xMode) => actions.change({ xMode }),
  });
  /** The kernel has every point; the page holds the buckets of its curves. */
  const exportKey = (format: ExportFormat): string =>
    (format === "csv" || format === "json") && !connected(link.connection)
      ? `${format}_held`
      : format;
  const files = menu({
    label: words("ui.export"),
    items: FORMATS.map((format) => ({
      label: () => words(`ui.export.${exportKey(format)}`),
      // A page without a kernel cannot draw an SVG; it says so by not offering it.
      enabled: () => format !== "svg" || connected(link.connection),
      onChoose: () => actions.save(format),
    })),
    signal,
  });
  const steer = segmented(words("ui.steer"), [pause, step, stop]);
  steer.classList.add("nnw-steer");
  const element = h(
    "div",
    { class: "nnw-toolbar", role: "group", "aria-label": words("ui.controls") },
    h("div", { class: "nnw-toolbar-run" }, steer, rate.element),
    h(
      "div",
      { class: "nnw-toolbar-picture" },
      smoothing.element,
      logY,
      axis,
      h("span", { class: "nnw-spring" }),
      files.element,
    ),
  );

  return {
    element,
    draw(live) {
      const condition = conditionOf(live, link.connection);
      const active = condition === "running" || condition === "paused";
      paused = condition === "paused";
      pause.set({
        label: words(paused ? "ui.resume" : "ui.pause"),
        icon: paused ? "play" : "pause",
        disabled: !active,
      });
      pause.element.classList.toggle("nnw-primary", active);
      step.set({ disabled: !(active && live?.can.step) });
      stop.set({ disabled: !(active && live?.can.stop) });
      rate.draw(live, connected(link.connection));
    },
  };
}

/** The learning-rate slider: a factor on what the optimiser or its scheduler has set. */
function learningRate(words: Words, signal: AbortSignal, actions: ToolbarActions) {
  let live: Live | null = null;
  /** What was asked for and not yet reported back. */
  let wanted: number | null = null;
  let soon: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(soon), { once: true });

  const send = (factor: number) => {
    const value = Number(factor.toPrecision(4));
    wanted = value;
    control.set(value);
    control.refresh();
    // A held arrow key moves through many factors; the run needs only the last.
    clearTimeout(soon);
    soon = setTimeout(() => {
      void actions.act("set_lr_scale", { value }).then((done) => {
        if (!done && wanted === value) wanted = null;
      });
    }, SETTLE);
  };
  const inForce = (factor: number): string => {
    if (live === null || !Number.isFinite(live.learningRate)) return "–";
    const scale = live.lrScale > 0 ? live.lrScale : 1;
    return formatNumber((live.learningRate / scale) * factor);
  };
  const control = logSlider({
    label: words("ui.learning_rate"),
    min: 0.01,
    max: 100,
    perDecade: 20,
    value: 1,
    valueWidth: 7,
    format: inForce,
    signal,
    onInput: (factor) => setText(factorText, formatFactor(factor)),
    onChange: send,
  });
  const factorText = h("span", { class: "nnw-factor nnw-muted" }, formatFactor(1));
  const reset = button({
    label: words("ui.learning_rate.reset"),
    icon: "reset",
    kind: "quiet",
    title: words("ui.learning_rate.reset"),
    signal,
    onClick: () => send(1),
  });
  reset.element.classList.add("nnw-icon-only");
  control.element.append(factorText, reset.element);
  control.element.classList.add("nnw-rate");

  return {
    element: control.element,
    draw(newest: Live | null, reachable: boolean) {
      live = newest;
      const scale = live?.lrScale ?? 1;
      if (wanted !== null && Math.abs(scale / wanted - 1) < 1e-6) wanted = null;
      const factor = wanted ?? scale;
      control.set(factor);
      control.refresh();
      const usable = reachable && live?.can.steer === true;
      control.setDisabled(!usable);
      const held = control.input.matches(":active");
      if (!held) setText(factorText, formatFactor(factor));
      reset.set({ disabled: !usable || factor === 1 });
      control.element.classList.toggle("nnw-unknown", live?.can.steer !== true);
      control.element.title =
        live !== null && !live.can.steer ? words("ui.learning_rate.unknown") : "";
    },
  };
}
