/** Buttons, boxes, lists: real elements with names, usable from the keyboard. */

import { h, setAttribute, setText, uniqueId } from "./dom";
import { type IconName, icon, setIcon } from "./icons";

export interface ButtonOptions {
  label: string;
  icon?: IconName;
  /** `plain` looks like a link, `quiet` like text, `bordered` like a button. */
  kind?: "bordered" | "plain" | "quiet" | "segment";
  title?: string;
  signal: AbortSignal;
  onClick(event: MouseEvent): void;
}

export interface Button {
  element: HTMLButtonElement;
  /** Changes what it says and does; nothing is touched when nothing changes. */
  set(state: { label?: string; icon?: IconName; disabled?: boolean; pressed?: boolean }): void;
}

export function button(options: ButtonOptions): Button {
  const text = h("span", { class: "nnw-button-text" }, options.label);
  const sign = options.icon === undefined ? null : icon(options.icon);
  const element = h("button", {
    type: "button",
    class: `nnw-button nnw-button-${options.kind ?? "bordered"}`,
    title: options.title,
  });
  if (sign !== null) element.append(sign);
  element.append(text);
  element.addEventListener("click", options.onClick, { signal: options.signal });
  return {
    element,
    set(state) {
      if (state.label !== undefined) setText(text, state.label);
      if (state.icon !== undefined && sign !== null) setIcon(sign, state.icon);
      if (state.disabled !== undefined && element.disabled !== state.disabled) {
        element.disabled = state.disabled;
      }
      if (state.pressed !== undefined) setAttribute(element, "aria-pressed", String(state.pressed));
    },
  };
}

/** Buttons that belong together, drawn as one bar. */
export function segmented(label: string, buttons: readonly Button[]): HTMLElement {
  const group = h("div", { class: "nnw-segmented", role: "group", "aria-label": label });
  group.append(...buttons.map(({ element }) => element));
  return group;
}

export interface CheckboxOptions {
  label: string;
  checked: boolean;
  signal: AbortSignal;
  onChange(checked: boolean): void;
}

export function checkbox(options: CheckboxOptions): HTMLLabelElement {
  const input = h("input", { type: "checkbox" });
  input.checked = options.checked;
  input.addEventListener("change", () => options.onChange(input.checked), {
    signal: options.signal,
  });
  return h("label", { class: "nnw-check" }, input, h("span", {}, options.label));
}

export interface SelectOptions<Value extends string> {
  /** Beside the list, as short as may be. */
  label: string;
  /** For those who do not see where it stands. */
  name: string;
  value: Value;
  choices: readonly { value: Value; label: string }[];
  signal: AbortSignal;
  onChange(value: Value): void;
}

export function select<Value extends string>(options: SelectOptions<Value>): HTMLLabelElement {
  const list = h("select", { class: "nnw-select", "aria-label": options.name });
  for (const choice of options.choices) {
    list.append(h("option", { value: choice.value }, choice.label));
  }
  list.value = options.value;
  list.addEventListener("change", () => options.onChange(list.value as Value), {
    signal: options.signal,
  });
  return h("label", { class: "nnw-field" }, h("span", { class: "nnw-muted" }, options.label), list);
}

export interface Disclosure {
  button: HTMLButtonElement;
  content: HTMLElement;
  setOpen(open: boolean): void;
}

/** A button that shows and hides `content`. */
export function disclosure(
  label: string,
  content: HTMLElement,
  options: { open?: boolean; signal: AbortSignal; onToggle?(open: boolean): void },
): Disclosure {
  if (content.id === "") content.id = uniqueId("nnw-part");
  const toggle = button({
    label,
    icon: "right",
    kind: "quiet",
    signal: options.signal,
    onClick: () => {
      const open = element.getAttribute("aria-expanded") !== "true";
      setOpen(open);
      options.onToggle?.(open);
    },
  });
  const element = toggle.element;
  element.classList.add("nnw-disclosure");
  element.setAttribute("aria-controls", content.id);
  const setOpen = (open: boolean) => {
    setAttribute(element, "aria-expanded", String(open));
    content.hidden = !open;
  };
  setOpen(options.open ?? false);
  return { button: element, content, setOpen };
}
