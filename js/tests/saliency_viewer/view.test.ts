import { describe, expect, it } from "vitest";
import { SILENT_AFTER } from "../../src/link";
import { requests, settle, viewer } from "./viewer";

describe("the header", () => {
  it("says what is asked, how the run goes, and what watching costs", async () => {
    const { model, text } = viewer();
    expect(text(".nnw-title")).toBe("Why this answer?");
    expect(text(".nnw-pill")).toBe("Running");
    expect(text(".nnw-header-step")).toBe("step 3,412");
    expect(text(".nnw-header-cost")).toContain("watching costs 0.9");
    model.set("title", "Digits");
    model.state = "paused";
    model.publish();
    await settle();
    expect([text(".nnw-title"), text(".nnw-pill")]).toEqual(["Digits", "Paused"]);
  });
});

describe("the question", () => {
  it("has the first methods as buttons, and shows a choice at once", async () => {
    const { model, all, named, text } = viewer();
    const bar = all(".nnw-question .nnw-button-segment");
    expect(bar.map(({ textContent }) => textContent)).toEqual([
      "Grad-CAM",
      "Integrated gradients",
      "Occlusion",
      "LIME",
    ]);
    expect(named("Integrated gradients").getAttribute("aria-pressed")).toBe("true");
    named("Grad-CAM").click();
    await settle(1);
    expect(named("Grad-CAM").getAttribute("aria-pressed")).toBe("true");
    await settle();
    expect(requests(model)).toEqual([["method", { method: "grad_cam" }]]);
    expect(text(".nnw-pane-heading .nnw-muted")).toBe("Grad-CAM, layer features.6, step 3,412");
  });

  it("has all the others behind More, and says why some do not apply", async () => {
    const { model, named, all, press, find, shown } = viewer();
    named("More").click();
    const items = all('[role="menuitemradio"]');
    expect(items.map((item) => item.querySelector(".nnw-method-name")?.textContent)).toEqual([
      "Saliency",
      "Input × gradient",
      "SmoothGrad",
      "Gradient SHAP",
      "Grad-CAM++",
      "LayerCAM",
      "Feature ablation",
      "Kernel SHAP",
      "DeepLIFT",
      "Guided backprop",
      "Attention rollout",
      "LRP",
    ]);
    const rollout = items[10];
    expect(rollout?.textContent).toContain("The model has no attention.");
    expect(rollout?.getAttribute("aria-disabled")).toBe("true");
    rollout?.click();
    expect(shown('[role="menu"].nnw-methods-menu')).toBe(true);
    expect(document.activeElement).toBe(items[0]);
    press("ArrowUp");
    expect(document.activeElement).toBe(items.at(-1));
    press("Home");
    press("Escape");
    expect(shown('[role="menu"].nnw-methods-menu')).toBe(false);
    expect(document.activeElement).toBe(named("More"));
    press("ArrowDown");
    press("ArrowDown");
    (document.activeElement as HTMLElement).click();
    await settle();
    expect(requests(model)).toEqual([["method", { method: "input_x_gradient" }]]);
    // The chosen one has come into the bar.
    expect(named("Input × gradient").getAttribute("aria-pressed")).toBe("true");
    expect(find(".nnw-question .nnw-segmented").children).toHaveLength(4);
  });

  it("offers layer, baseline and input only where they count", async () => {
    const { offers, named, choose, model } = viewer();
    expect([offers("Layer"), offers("Input")]).toEqual([null, null]);
    expect(offers("Baseline")).toEqual(["zero", "mean", "blurred", "another sample"]);
    await choose("Baseline", "mean");
    named("Grad-CAM").click();
    await settle();
    expect(offers("Baseline")).toBeNull();
    expect(offers("Layer")).toEqual([
      "features.0 · Conv2d 16×28×28",
      "features.4 · Conv2d 32×14×14",
      "features.6 · ReLU 32×14×14",
    ]);
    await choose("Layer", "features.0");
    expect(requests(model)).toEqual([
      ["baseline", { baseline: "mean" }],
      ["method", { method: "grad_cam" }],
      ["layer", { layer: "features.0" }],
    ]);
    const several = viewer({ kind: "other" });
    expect(several.offers("Input")).toEqual(["values", "mask"]);
    await several.choose("Input", "1");
    expect(requests(several.model)).toEqual([["slot", { slot: 1 }]]);
  });

  it("compares, the most telling first, on one scale", async () => {
    const { model, choose, offers, all, text } = viewer();
    expect(offers("Compare with")).toBeNull();
    await choose("Compare", "target");
    // The class that the model thinks likeliest after the one that is shown.
    expect(requests(model)).toEqual([["compare", { by: "target", value: 8 }]]);
    expect(all(".nnw-pane-title").map(({ textContent }) => textContent)).toEqual([
      "Evidence for “5”",
      "Evidence for “8”",
    ]);
    expect(offers("Compare with")?.[0]).toBe("8");
    expect(all(".nnw-scale").filter((bar) => bar.closest("[hidden]") === null)).toHaveLength(1);
    await choose("Compare", "step");
    await choose("Compare with", "400");
    expect(requests(model).slice(1)).toEqual([
      ["compare", { by: "step", value: 100 }],
      ["compare", { by: "step", value: 400 }],
    ]);
    expect(text(".nnw-pane:last-child .nnw-pane-heading")).toContain("weights kept at step 400");
    await choose("Compare", "");
    expect(requests(model).at(-1)).toEqual(["compare", { by: null, value: null }]);
    expect(all("section.nnw-pane")).toHaveLength(1);
  });
});

describe("the classes", () => {
  it("are asked about with a click, and the predicted one again", async () => {
    const { model, all, text, named, shown } = viewer();
    const rows = all(".nnw-class");
    expect(rows.map(({ textContent }) => textContent).slice(4, 7)).toEqual([
      "40.2\u202f%",
      "593.1\u202f%",
      "60.2\u202f%",
    ]);
    expect(rows[5]?.getAttribute("aria-pressed")).toBe("true");
    expect(shown(".nnw-answer .nnw-button-plain")).toBe(false);
    rows[8]?.click();
    await settle();
    expect(text(".nnw-pane-title")).toBe("Evidence for “8”");
    named("Predicted class").click();
    await settle();
    expect(requests(model)).toEqual([
      ["target", { target: 8 }],
      ["target", { target: null }],
    ]);
    expect(text(".nnw-pane-title")).toBe("Evidence for “5”");
  });

  it("are one tab stop, arrows move between them", () => {
    const { all, press } = viewer();
    const rows = all(".nnw-class");
    expect(all('.nnw-class[tabindex="0"]')).toEqual([rows[5]]);
    rows[5]?.focus();
    press("ArrowDown");
    expect(document.activeElement).toBe(rows[6]);
    press("End");
    press("ArrowDown");
    expect(document.activeElement).toBe(rows[0]);
  });
});

describe("a picture", () => {
  it("has words for those who do not see it", () => {
    const { find } = viewer();
    const label = find("section.nnw-pane .nnw-stage").getAttribute("aria-label");
    expect(label).toMatch(
      /^Evidence for “5”, Integrated gradients, baseline zero, step 3,412: 28 rows × 28 columns, colours from −0\.\d+ to \+0\.\d+\. Strongest at row \d+, column \d+: \+0\.\d+\.$/,
    );
  });

  it("tells value and position under the keys, in both pictures, and the numbers behind", async () => {
    const { model, find, press, text, all, shown } = viewer();
    const stage = find("section.nnw-pane .nnw-stage");
    stage.focus();
    press("ArrowRight");
    press("ArrowDown");
    expect(text("section.nnw-pane .nnw-readout")).toMatch(/^row 1, column 0: [+−]?[\d.e−]+$/);
    expect(text(".nnw-input .nnw-readout")).toBe("row 1, column 0: input 0");
    press("Enter");
    await settle();
    expect(requests(model)).toEqual([["at", { pane: 0, place: [1, 0] }]]);
    expect(shown(".nnw-detail")).toBe(true);
    expect(all(".nnw-detail-items > div").map(({ textContent }) => textContent)).toEqual([
      "value+0.0124",
      "rank3 of 784",
      "input1, 0",
    ]);
    press("Escape");
    expect(shown(".nnw-detail")).toBe(false);
  });

  it("closes the numbers when it becomes another one", async () => {
    const { find, press, named, shown } = viewer();
    find("section.nnw-pane .nnw-stage").focus();
    press("ArrowRight");
    press("Enter");
    await settle();
    named("Grad-CAM").click();
    await settle();
    expect(shown(".nnw-detail")).toBe(false);
  });

  it("lies over the input, or stands by itself; the kernel need not know", async () => {
    const { model, named, find, shown } = viewer();
    expect([shown(".nnw-input"), shown('input[aria-label="Opacity"]')]).toEqual([true, false]);
    named("Overlay").click();
    await settle();
    expect([shown(".nnw-input"), shown('input[aria-label="Opacity"]')]).toEqual([false, true]);
    const opacity = find<HTMLInputElement>('input[aria-label="Opacity"]');
    opacity.value = "0.5";
    opacity.dispatchEvent(new Event("input"));
    await settle();
    expect(opacity.getAttribute("aria-valuetext")).toMatch(/^50/);
    named("Map").click();
    await settle();
    expect([shown(".nnw-input"), shown('input[aria-label="Opacity"]')]).toEqual([false, false]);
    expect(requests(model)).toEqual([]);
  });

  it("states its scale and unit", () => {
    const { text } = viewer();
    expect(text(".nnw-legend-part")).toMatch(
      /^−0\.\d+\+0\.\d+.*logit · blue speaks against it, red for it$/,
    );
  });
});

describe("how a map stands", () => {
  it("is said: stale, being computed, failed", async () => {
    const { model, text, named, shown } = viewer({ pane: "stale" });
    expect(text(".nnw-pane-state")).toContain("has learned on");
    named("Explain now").click();
    await settle(3500);
    expect(requests(model)).toEqual([["explain", {}]]);
    expect(shown(".nnw-pane-state")).toBe(false);
    const working = viewer({ pane: "working" });
    expect(working.text(".nnw-pane-state")).toContain("Being computed");
    // Whoever has asked for it, it can be ended here.
    (working.find(".nnw-pane-state button:not([hidden])") as HTMLElement).click();
    await settle();
    expect(requests(working.model)).toEqual([["stop", {}]]);
    const failed = viewer({ pane: "failed" });
    expect(failed.text(".nnw-note[data-level=error]")).toContain(
      "Error: The model raised an error",
    );
  });

  it("is said of a slow one that nobody has asked for", () => {
    const { text, shown } = viewer({ pane: "stale", flaw: "empty" });
    expect(text(".nnw-pane-state")).toContain("Not computed yet");
    expect(shown(".nnw-pane-empty")).toBe(false);
  });

  it("is said where it shows nothing", () => {
    const note = (flaw: "constant" | "not_finite") =>
      viewer({ flaw }).text(".nnw-note[data-level=warning]");
    expect(note("constant")).toContain("are the same");
    expect(note("not_finite")).toContain("not finite");
    const { text, shown } = viewer({ flaw: "empty" });
    expect(text(".nnw-pane-empty")).toBe("There is no map to show.");
    expect(shown(".nnw-panes-foot")).toBe(false);
  });

  it("waits for the kernel, and for inputs", () => {
    expect(viewer({ silent: true }).text(".nnw-empty")).toContain("Waiting for the kernel");
    const blind = viewer({ blind: true });
    expect(blind.text(".nnw-empty")).toContain("There is no input to ask about");
    expect(blind.shown(".nnw-foot")).toBe(false);
  });

  it("shows long work with a way out", async () => {
    const { model, named, text, shown, find } = viewer();
    named("LIME").click();
    await settle(700);
    expect(text(".nnw-busy")).toMatch(/The method: working … \d+ \/ 50/);
    find(".nnw-busy button").click();
    await settle();
    expect(model.sent.at(-1)).toMatchObject({ type: "cancel" });
    expect([shown(".nnw-busy"), shown(".nnw-problem")]).toEqual([false, false]);
  });

  it("says that a click waits for the end of the cell", async () => {
    const { named, text } = viewer({ late: true });
    named("Grad-CAM").click();
    await settle();
    expect(text(".nnw-queued")).toContain("The method is queued: it acts when the cell ends.");
  });

  it("without a kernel shows the last picture and offers nothing new", async () => {
    const { named, text, all, find } = viewer({ deaf: true });
    await settle(SILENT_AFTER + 50);
    expect(text(".nnw-banner")).toContain("nothing new can be computed");
    expect(text(".nnw-pill")).toBe("Saved");
    expect(named("Grad-CAM").disabled).toBe(true);
    expect(named("Check this map").disabled).toBe(true);
    expect(find<HTMLSelectElement>('select[aria-label="Baseline"]').disabled).toBe(true);
    expect(all('[role="radio"]').every((item) => (item as HTMLButtonElement).disabled)).toBe(true);
    expect(all(".nnw-class")[0]?.getAttribute("aria-disabled")).toBe("true");
    // What needs no kernel goes on.
    expect(named("Overlay").disabled).toBe(false);
  });
});

describe("trust", () => {
  it("is not claimed before it was checked", () => {
    expect(viewer().text(".nnw-trust")).toContain("Not checked yet.");
  });

  it("is checked with progress and a way out", async () => {
    const { model, named, all, text, shown, find } = viewer();
    named("Check this map").click();
    await settle(700);
    expect(find(".nnw-trust [role=progressbar]").getAttribute("aria-valuenow")).toBe("20");
    expect(shown(".nnw-busy")).toBe(false);
    const out = all(".nnw-trust button").find(({ textContent }) => textContent === "Cancel");
    out?.click();
    await settle();
    expect(text(".nnw-trust")).toContain("Not checked yet.");
    named("Check this map").click();
    await settle(3500);
    expect(requests(model)).toEqual([
      ["trust", {}],
      ["trust", {}],
    ]);
    const checks = all(".nnw-trust-check");
    expect(checks).toHaveLength(5);
    expect(checks[0]?.textContent).toBe(
      "✓Good: Adds up: the values sum to the score within 0.6\u202f%.",
    );
    expect(checks[3]?.textContent).toContain("!Take care:");
    expect(text(".nnw-verdict")).toContain("Four checks were made.");
  });

  it("has the whole width below the pictures, but room beside a waterfall", () => {
    expect(viewer({ checked: true }).find(".nnw-why").dataset.trust).toBe("below");
    expect(viewer({ kind: "table" }).find(".nnw-why").dataset.trust).toBe("beside");
  });

  it("has curves with their areas, and a cascade", () => {
    const { all } = viewer({ checked: true });
    expect(all(".nnw-curve .nnw-stage").map((stage) => stage.getAttribute("aria-label"))).toEqual([
      expect.stringMatching(/^Removing the strongest first: area 0\.\d+, in random order 0\.\d+$/),
      expect.stringMatching(
        /^Putting back the strongest first: area 0\.\d+, in random order 0\.\d+$/,
      ),
    ]);
    expect(all(".nnw-cascade-part li").map(({ textContent }) => textContent)).toEqual([
      "classifier.20.42",
      "classifier.00.30",
      "features.40.14",
      "features.00.11",
    ]);
  });

  it("says of which map it was, when another is on show", async () => {
    const { named, text, find } = viewer({ checked: true });
    expect(find(".nnw-trust").classList.contains("nnw-outdated")).toBe(false);
    named("Grad-CAM").click();
    await settle();
    expect(find(".nnw-trust").classList.contains("nnw-outdated")).toBe(true);
    expect(text(".nnw-trust")).toContain("This was checked for Grad-CAM, sample 1, step 3,412.");
  });
});

describe("a table", () => {
  it("is a waterfall from the baseline to the score", async () => {
    const { all, text, named, model } = viewer({ kind: "table" });
    const rows = all(".nnw-fall-row");
    expect(text(".nnw-fall-head")).toBe("featurevalueevidence");
    expect(rows[0]?.textContent).toContain("baseline zero");
    expect(rows.at(-1)?.textContent).toContain("score");
    expect(rows.at(-2)?.textContent).toContain("6 others");
    expect(text(".nnw-fall-sum")).toMatch(
      /^−0\.350 \(baseline\) \+.* → .* \(score\); unit: logit\.$/,
    );
    named("Show all 18 features").click();
    expect(all('.nnw-fall-row[data-kind="feature"]')).toHaveLength(18);
    rows[1]?.click();
    await settle();
    expect(requests(model)).toEqual([["at", { pane: 0, place: [0] }]]);
  });

  it("goes from feature to feature with the keys", () => {
    const { all, press } = viewer({ kind: "table" });
    const rows = all('.nnw-fall-row[data-kind="feature"]');
    expect(all('.nnw-fall-row[tabindex="0"]')).toEqual([rows[0]]);
    rows[0]?.focus();
    press("ArrowDown");
    expect(document.activeElement).toBe(rows[1]);
  });

  it("has the importance over the whole set, on demand", async () => {
    const { all, find, text } = viewer({ kind: "table" });
    find<HTMLButtonElement>(".nnw-importance button").click();
    await settle(3500);
    expect(all(".nnw-importance li")).toHaveLength(15);
    expect(text(".nnw-importance")).toContain("Loss of accuracy when a feature is shuffled");
    expect(viewer().shown(".nnw-importance")).toBe(false);
  });
});

describe("other kinds", () => {
  it("text: coloured tokens with a number each", async () => {
    const { model, all, press, text } = viewer({ kind: "tokens" });
    const tokens = all(".nnw-token");
    expect(tokens.slice(0, 3).map(({ textContent }) => textContent)).toEqual([
      "The",
      "film",
      "begins",
    ]);
    expect(tokens[10]?.getAttribute("aria-label")).toMatch(/^token 10 “.*”: [+−]?[\d.e−]+$/);
    tokens[0]?.focus();
    press("ArrowRight");
    expect(text(".nnw-tokens-part .nnw-readout")).toContain("token 1 “film”");
    tokens[1]?.click();
    await settle();
    expect(requests(model)).toEqual([["at", { pane: 0, place: [1] }]]);
  });

  it("signal: a row for each channel", async () => {
    const { model, find, press, text } = viewer({ kind: "signal" });
    const stage = find("section.nnw-pane .nnw-stage");
    expect(stage.getAttribute("aria-label")).toContain("3 channels of 240 positions");
    stage.focus();
    press("ArrowRight");
    press("ArrowDown");
    press("ArrowRight");
    expect(text("section.nnw-pane .nnw-readout")).toMatch(/^wrist, position 1: .* · input /);
    press("Enter");
    await settle();
    expect(requests(model)).toEqual([["at", { pane: 0, place: [1, 1] }]]);
  });

  it("sequence: time from left to right, a row for each feature", async () => {
    const { model, find, press, text } = viewer({ kind: "sequence" });
    find("section.nnw-pane .nnw-stage").focus();
    press("ArrowRight");
    press("ArrowRight");
    expect(text("section.nnw-pane .nnw-readout")).toMatch(/^time 1, open: .* · input /);
    press("Enter");
    await settle();
    expect(requests(model)).toEqual([["at", { pane: 0, place: [1, 0] }]]);
  });

  it("anything else: its numbers", () => {
    const { all } = viewer({ kind: "other" });
    expect(all('.nnw-fall-row[data-kind="feature"]')).toHaveLength(9);
  });
});

describe("samples and time", () => {
  it("another sample is one click or key away", async () => {
    const { model, all, press } = viewer();
    const samples = all('[role="radio"]');
    samples[0]?.focus();
    press("ArrowRight");
    await settle();
    expect(requests(model)).toEqual([["index", { index: 1 }]]);
    expect(samples[1]?.getAttribute("aria-checked")).toBe("true");
  });

  it("the film goes through the steps, back to live, and shows frames on the way", async () => {
    const { model, find, named, text, shown } = viewer();
    const film = find<HTMLInputElement>('.nnw-foot input[type="range"]');
    expect([film.max, film.value]).toEqual(["8", "8"]);
    expect(text(".nnw-drift")).toMatch(/^similarity 0\.\d\d$/);
    expect(shown(".nnw-frame")).toBe(false);
    film.value = "2";
    film.dispatchEvent(new Event("input"));
    expect(text(".nnw-frame")).toMatch(/^step 800 · similarity 0\.\d\d$/);
    await settle();
    expect(model.cursor).toBe(800);
    expect(named("Live").getAttribute("aria-pressed")).toBe("false");
    expect(text("section .nnw-pane-heading")).toContain("weights kept at step 800");
    film.dispatchEvent(new Event("blur"));
    expect(shown(".nnw-frame")).toBe(false);
    named("Live").click();
    await settle(200);
    expect(model.cursor).toBeNull();
    named("Look again").click();
    await settle();
    expect(requests(model).at(-1)).toEqual(["refresh", {}]);
  });
});

describe("a view", () => {
  it("speaks Chinese", async () => {
    const { model, text, named } = viewer({ language: "zh" });
    expect(text(".nnw-title")).toBe("为什么是这个答案？");
    expect(text(".nnw-pane-title")).toBe("“5”的依据");
    expect(named("检验这张图").disabled).toBe(false);
    model.set("language", "en");
    await settle();
    expect(text(".nnw-title")).toBe("Why this answer?");
  });

  it("has a name for every control", () => {
    for (const kind of ["image", "table", "tokens", "signal", "sequence"] as const) {
      const { all } = viewer({ kind, checked: true, compare: { by: "step", value: 400 } });
      for (const control of all("button, select, input, [tabindex='0']")) {
        if (control.closest("[hidden]") !== null) continue;
        const name = control.getAttribute("aria-label") ?? control.textContent ?? "";
        const labelled = control.closest("label")?.textContent ?? "";
        expect(name.trim() + labelled.trim(), control.outerHTML).not.toBe("");
      }
    }
  });

  it("says what went wrong with a click, until it is dismissed", async () => {
    const { model, named, text, shown } = viewer();
    const { id } = model.sent.at(-1) ?? {};
    named("Grad-CAM").click();
    const sent = model.sent.at(-1);
    expect(sent?.id).not.toBe(id);
    model.emit("msg:custom", { type: "error", id: sent?.id, error: "No layer is called “x”." }, []);
    await settle();
    expect(text(".nnw-problem")).toContain("No layer is called “x”.");
    named("Dismiss").click();
    await settle();
    expect(shown(".nnw-problem")).toBe(false);
  });
});
