/** Sliders: real range inputs, with the value in words beside them. */

import { h, setAttribute, setText } from "./dom";

export interface SliderOptions {
  label: string;
  min: number;
  max: number;
  step: number;
  value: number;
  /** The label is shown beside the slider; otherwise it is only spoken. */
  showLabel?: boolean;
  /** Width of the value's place in figures, so that nothing moves while it changes. */
  valueWidth?: number;
  /** The value in words, on the screen and for screen readers. */
  format(value: number): string;
  signal: AbortSignal;
  /** While it moves. */
  onInput?(value: number): void;
  /** When it has been let go of, or moved with a key. */
  onChange?(value: number): void;
}

export interface Slider {
  element: HTMLElement;
  input: HTMLInputElement;
  /** Shows a value from elsewhere; left alone while the user holds the slider. */
  set(value: number): void;
  setRange(min: number, max: number, step?: number): void;
  setDisabled(disabled: boolean): void;
  /** Writes the value anew, when what `format` says has changed. */
  refresh(): void;
}

export function slider(options: SliderOptions): Slider {
  const { signal, format } = options;
  const input = h("input", {
    type: "range",
    class: "nnw-slider",
    min: options.min,
    max: options.max,
    step: options.step,
    "aria-label": options.label,
  });
  input.value = String(options.value);
  const output = h("span", { class: "nnw-value", "aria-hidden": "true" });
  if (options.valueWidth !== undefined) output.style.minWidth = `${options.valueWidth}ch`;
  const label = options.showLabel === false ? null : options.label;
  const element = h(
    "div",
    { class: "nnw-field" },
    label !== null && h("span", { class: "nnw-muted", "aria-hidden": "true" }, label),
    input,
    output,
  );
  let held = false;

  const refresh = () => {
    const words = format(input.valueAsNumber);
    setText(output, words);
    setAttribute(input, "aria-valuetext", words);
    const { min, max } = input;
    const share = (input.valueAsNumber - Number(min)) / (Number(max) - Number(min) || 1);
    input.style.setProperty("--nnw-share", `${(share * 100).toFixed(2)}%`);
  };
  const hold = (now: boolean) => () => {
    held = now;
  };
  input.addEventListener("pointerdown", hold(true), { signal });
  for (const end of ["pointerup", "pointercancel", "blur"]) {
    input.addEventListener(end, hold(false), { signal });
  }
  input.addEventListener(
    "input",
    () => {
      refresh();
      options.onInput?.(input.valueAsNumber);
    },
    { signal },
  );
  input.addEventListener("change", () => options.onChange?.(input.valueAsNumber), { signal });
  refresh();

  return {
    element,
    input,
    refresh,
    set(value) {
      if (held || input.valueAsNumber === value) return;
      input.value = String(value);
      refresh();
    },
    setRange(min, max, step) {
      if (held) return;
      setAttribute(input, "min", min);
      setAttribute(input, "max", max);
      if (step !== undefined) setAttribute(input, "step", step);
      refresh();
    },
    setDisabled(disabled) {
      if (input.disabled !== disabled) input.disabled = disabled;
    },
  };
}

/** A slider of factors from `min` to `max`, even in ratios; `format` and events get the factor. */
export function logSlider(options: Omit<SliderOptions, "step"> & { perDecade: number }): Slider {
  const toFactor = (position: number) => 10 ** position;
  const inner = slider({
    ...options,
    min: Math.log10(options.min),
    max: Math.log10(options.max),
    step: 1 / options.perDecade,
    value: Math.log10(options.value),
    format: (position) => options.format(toFactor(position)),
    onInput: (position) => options.onInput?.(toFactor(position)),
    onChange: (position) => options.onChange?.(toFactor(position)),
  });
  return {
    ...inner,
    set: (factor) => inner.set(Math.log10(factor)),
    setRange: (min, max) => inner.setRange(Math.log10(min), Math.log10(max)),
  };
}
