/** The value of a drawn point, to read and to type. */

import { h, setAttribute } from "../ui/dom";
import type { Words } from "../ui/i18n";

/** So many figures are written: a value that travels as 32 bits has no more. */
const FIGURES = 6;
const MINUS = "\u2212";

/** A value as it stands in the field; nothing where there is none. */
export function valueText(y: number | null): string {
  if (y === null || !Number.isFinite(y)) return "";
  return String(Number(y.toPrecision(FIGURES))).replaceAll("-", MINUS);
}

/** What was typed; null if that is no number. */
export function readValue(typed: string): number | null {
  const text = typed.trim().replaceAll(MINUS, "-");
  // Of nothing, `Number` makes zero.
  const value = text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

/** @param give whether the kernel took the value */
export function valueField(
  words: Words,
  signal: AbortSignal,
  give: (y: number) => Promise<boolean>,
) {
  const label = words("ui.boundary.point.own_value");
  // No number input: those turn on with the wheel, and a page that scrolls would change the data.
  const field = h("input", {
    type: "text",
    class: "nnw-select nnw-value-field",
    inputmode: "decimal",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": label,
    title: words("ui.boundary.point.own_value.hint"),
  });
  const name = h("span", { class: "nnw-muted", "aria-hidden": "true" }, label);
  let of: number | null = null;
  let known = "";
  /** What stands there is not yet meant. */
  let typing = false;
  const write = (): void => {
    typing = false;
    field.value = known;
    setAttribute(field, "aria-invalid", null);
  };
  const send = (): void => {
    typing = false;
    const y = readValue(field.value);
    setAttribute(field, "aria-invalid", y === null ? "true" : null);
    if (y === null || valueText(y) === known) return;
    const to = of;
    void give(y).then((taken) => {
      if (!taken && !typing && of === to) write();
    });
  };
  field.addEventListener(
    "input",
    () => {
      typing = true;
    },
    { signal },
  );
  field.addEventListener("change", send, { signal });
  field.addEventListener("keydown", ({ key }) => key === "Escape" && write(), { signal });

  return {
    element: h("label", { class: "nnw-field" }, name, field),
    /** @param y value of the point of that id */
    draw(id: number, y: number | null, usable: boolean) {
      field.disabled = !usable;
      const text = valueText(y);
      if (id === of && text === known) return;
      const same = id === of;
      [of, known] = [id, text];
      // The answer to one value must not take away the next one that is being typed.
      if (!same || !typing) write();
    },
  };
}
