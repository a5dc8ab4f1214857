/** A few rules that say nearly what the model says, and how nearly. */

import { chooser } from "../ui/chooser";
import { isDark } from "../ui/colormap";
import { checkbox } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { formatInteger, formatNumber, formatPercent } from "../ui/format";
import type { Words } from "../ui/i18n";
import { classColour } from "./picture/palette";
import { say, section, sentences } from "./section";
import type { Choices, Rule, Rules } from "./state";

export interface RulesInput {
  rules: Rules | null;
  choices: Choices | null;
  /** Depth that is asked for; null: none are. */
  depth: number | null;
  reachable: boolean;
}

export interface RulesPart {
  element: HTMLElement;
  draw(input: RulesInput): void;
}

const DEPTHS = [1, 2, 3, 4, 5];
const USUAL = 3;

export function rulesPart(
  words: Words,
  signal: AbortSignal,
  /** @param depth null: none */
  ask: (depth: number | null, last: number) => void,
): RulesPart {
  let last = USUAL;
  /** Those that can be chosen: the usual ones, and what was asked for in Python. */
  const known = new Set(DEPTHS);
  const toggle = checkbox({
    label: words("ui.boundary.rules.show"),
    checked: false,
    signal,
    onChange: (on) => ask(on ? last : null, last),
  });
  const box = toggle.querySelector("input") as HTMLInputElement;
  const depths = chooser({
    label: words("ui.boundary.rules.depth"),
    hint: words("ui.boundary.rules.depth.hint"),
    signal,
    onChange(value) {
      last = Number(value);
      ask(last, last);
    },
  });
  const state = h("p", { class: "nnw-muted", role: "status" });
  const fidelity = h("p");
  const list = h("ul", { class: "nnw-rules" });
  const notes = sentences();
  const { element } = section(
    words("ui.boundary.rules"),
    [toggle, depths.element],
    state,
    fidelity,
    list,
    notes.element,
  );
  let drawn: Rules | null = null;
  let dark: boolean | null = null;

  return {
    element,
    draw({ rules, choices, depth, reachable }) {
      const available = choices?.rulesAvailable === true;
      const on = depth !== null;
      last = depth ?? last;
      if (box.checked !== on) box.checked = on;
      box.disabled = !reachable || !available;
      setHidden(depths.element, !on);
      known.add(last);
      const offered = [...known].sort((a, b) => a - b).map(String);
      depths.draw(
        offered.map((value) => ({ value, label: value })),
        String(last),
        reachable,
      );
      const shown = on && rules !== null && rules.state !== "none" ? rules : null;
      say(state, stateText(shown, on, available));
      state.classList.toggle("nnw-bad", shown?.problem !== null && shown !== null);
      const told = shown === null || shown.state === "failed" ? null : shown;
      say(fidelity, told === null ? "" : fidelityText(told));
      setHidden(list, told === null || told.rules.length === 0);
      notes.draw(told?.notes ?? []);
      const now = isDark(element);
      if (shown !== null && (shown !== drawn || now !== dark)) {
        list.replaceChildren(...shown.rules.map((rule) => row(rule, choices, now)));
      }
      drawn = shown;
      dark = now;
    },
  };

  function stateText(rules: Rules | null, on: boolean, available: boolean): string {
    if (!available) return words("ui.boundary.rules.missing");
    if (!on) return words("ui.boundary.rules.hint");
    if (rules === null || rules.state === "working") return words("ui.boundary.rules.working");
    if (rules.problem !== null) return rules.problem;
    if (rules.state !== "stale") return "";
    if (rules.rules.length === 0 || rules.step === null) return words("ui.boundary.stopped");
    return words("ui.boundary.stale", { step: formatInteger(rules.step) });
  }

  function fidelityText({ fidelity: score, score: kind, rules }: Rules): string {
    if (score === null || rules.length === 0) return "";
    if (kind === "own_r2") return words("ui.boundary.rules.r2", { r2: formatNumber(score, 2) });
    return words("ui.boundary.rules.agrees", { share: formatPercent(score) });
  }

  function row(rule: Rule, choices: Choices | null, night: boolean): HTMLElement {
    const { answer, coverage, fidelity: share, text } = rule;
    const classy = choices?.kind !== "values" && answer !== null;
    const mark = h("span", { class: "nnw-swatch-dot", "aria-hidden": "true" });
    if (classy) mark.style.background = classColour(answer, night);
    const numbers = [
      coverage === null
        ? ""
        : words("ui.boundary.rules.covers", { share: formatPercent(coverage) }),
      share === null ? "" : words("ui.boundary.rules.right", { share: formatPercent(share) }),
    ].filter((one) => one !== "");
    return h(
      "li",
      {},
      classy && mark,
      h(
        "div",
        {},
        h("div", { class: "nnw-rule-text" }, text),
        numbers.length > 0 && h("div", { class: "nnw-muted" }, numbers.join(" · ")),
      ),
    );
  }
}
