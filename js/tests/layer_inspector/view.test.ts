import { describe, expect, it, vi } from "vitest";
import { residual } from "../../demo/networks";
import { REPORT_WITHIN } from "../../src/asked";
import { SILENT_AFTER } from "../../src/link";
import { inspector, requests, settle } from "./inspector";

describe("the header", () => {
  it("says which model, how large, and what watching costs", () => {
    const { text, find, shown } = inspector();
    expect(text(".nnw-title")).toBe("Layers");
    expect(text(".nnw-model")).toBe("Sequential");
    expect(text(".nnw-totals")).toBe("13 modules · 105,962 parameters · 2.23 MFLOPs a sample");
    expect(find(".nnw-totals").title).toContain("17,872,896 floating-point operations");
    expect(text(".nnw-header-cost")).toContain("watching costs 0.9");
    expect(shown(".nnw-pill")).toBe(false);
  });

  it("does not divide the work of a batch that does not share it evenly", async () => {
    const { model, text } = inspector({ network: residual(), selected: "fc" });
    const thumbless = model.get("_samples") as { meta: object };
    model.set("_samples", { ...thumbless, meta: { ...thumbless.meta, seq: 999, count: 7 } });
    await settle();
    expect(text(".nnw-totals")).toMatch(/MFLOPs for the sample batch$/);
  });

  it("is called as its title says, and says that training rests", () => {
    const { text, shown } = inspector({ title: "Generator", state: "paused" });
    expect(text(".nnw-title")).toBe("Generator");
    expect(shown(".nnw-pill")).toBe(true);
    expect(text(".nnw-pill")).toBe("Paused");
  });

  it("switches between tree and graph", async () => {
    const { named, shown } = inspector();
    expect([shown(".nnw-tree"), shown(".nnw-graph-stage")]).toEqual([true, false]);
    named("Graph").click();
    await settle();
    expect([shown(".nnw-tree"), shown(".nnw-graph-stage")]).toEqual([false, true]);
    expect(named("Graph").getAttribute("aria-pressed")).toBe("true");
  });
});

describe("the drawer", () => {
  it("opens the layers with the focus in them, and gives it back", async () => {
    const { find, row, press, model } = inspector();
    const opener = find<HTMLButtonElement>(".nnw-drawer-button");
    const side = find(".nnw-side");
    expect(opener.getAttribute("aria-controls")).toBe(side.id);
    opener.click();
    await settle();
    expect([side.classList.contains("nnw-open"), opener.getAttribute("aria-expanded")]).toEqual([
      true,
      "true",
    ]);
    expect(document.activeElement).toBe(row("6"));
    press("Escape");
    await settle();
    expect([side.classList.contains("nnw-open"), document.activeElement]).toEqual([false, opener]);
    opener.click();
    await settle();
    row("3")?.click();
    await settle();
    expect([side.classList.contains("nnw-open"), model.selected]).toEqual([false, "3"]);
  });
});

describe("the panel", () => {
  it("says what the picture is of", async () => {
    const { model, text } = inspector();
    const caption = () => text(".nnw-layer-title");
    expect(caption()).toBe("6 · ReLU 1×32×14×14, probe sample 1 of 8 (sample_index 0), step 3,412");
    model.source = "batch";
    model.sample = 2;
    model.publish();
    await settle();
    expect(caption()).toBe(
      "6 · ReLU 1×32×14×14, training batch, sample 3 (sample_index 2), step 3,412",
    );
    model.cursor = 2310;
    model.source = "probe";
    model.tab = "history";
    model.publish();
    await settle();
    expect(caption()).toBe("6 · ReLU 1×32×14×14, weights kept at step 2,310");
  });

  it("has tabs for the keyboard, those with nothing to show passed over", async () => {
    const { model, all, find, press, text } = inspector();
    const tab = (name: string) =>
      all('[role="tab"]').find(({ textContent }) => textContent === name) as HTMLElement;
    expect(all('[role="tab"]').map(({ textContent }) => textContent)).toEqual([
      "Activations",
      "Weights",
      "Gradients",
      "History",
      "Contributions",
      "Feature",
    ]);
    expect(tab("Weights").getAttribute("aria-disabled")).toBe("true");
    tab("Weights").click();
    tab("Activations").focus();
    press("ArrowRight");
    expect(document.activeElement).toBe(tab("History"));
    await settle();
    expect(requests(model)).toEqual([["tab", { tab: "history" }]]);
    expect(tab("History").getAttribute("aria-selected")).toBe("true");
    expect(find('[role="tabpanel"]').getAttribute("aria-labelledby")).toBe(tab("History").id);
    expect(all('[role="tab"][tabindex="0"]')).toEqual([tab("History")]);
    press("End", tab("History"));
    await settle();
    expect(model.tab).toBe("feature");
    press("ArrowRight", tab("Feature"));
    await settle();
    expect(model.tab).toBe("activations");
    expect(text(".nnw-block-maps")).not.toBe("");
  });

  it("sorts, changes inputs and goes from call to call", async () => {
    const { model, find, named } = inspector({ network: residual(), selected: "layer1.0.relu" });
    const choose = async (name: string, value: string) => {
      const list = find<HTMLSelectElement>(`select[aria-label="${name}"]`);
      list.value = value;
      list.dispatchEvent(new Event("change"));
      await settle();
    };
    await choose("Sort", "variance");
    await choose("Call", "1");
    named("Batch").click();
    await settle();
    expect(requests(model)).toEqual([
      ["sort", { by: "variance" }],
      ["call", { index: 1 }],
      ["source", { source: "batch" }],
    ]);
    expect(find<HTMLSelectElement>('select[aria-label="Call"]').value).toBe("1");
    expect(named("Batch").getAttribute("aria-pressed")).toBe("true");
  });

  it("says how filters are sorted, and lets go of it", async () => {
    const { model, find } = inspector({ tab: "weights", selected: "4" });
    const list = find<HTMLSelectElement>('select[aria-label="Sort"]');
    expect([...list.options].map(({ text }) => text)).toEqual(["by number", "by size"]);
    expect(list.value).toBe("norm"); // asked for in another tab: by activity
    for (const value of ["index", "norm"]) {
      list.value = value;
      list.dispatchEvent(new Event("change"));
      await settle();
      expect(list.value).toBe(value);
    }
    expect(requests(model)).toEqual([
      ["sort", { by: "index" }],
      ["sort", { by: "activity" }],
    ]);
  });

  it("offers only what applies", () => {
    const visible = (tab: string) => {
      const { all } = inspector({ tab, unit: 3, selected: tab === "weights" ? "4" : "6" });
      return all(".nnw-layer-controls > *")
        .filter((element) => !element.hidden)
        .map((element) => element.getAttribute("aria-label") ?? element.textContent?.slice(0, 4));
    };
    expect(visible("activations")).toEqual(["Inputs", "Sort"]);
    expect(visible("weights")).toEqual(["Sort"]);
    expect(visible("history")).toEqual([]);
    expect(visible("contributions")).toEqual(["Direction", "Unit"]);
    expect(visible("feature")).toEqual(["Unit"]);
  });

  it("takes a unit from the keyboard", async () => {
    const { model, find, named } = inspector({ tab: "contributions", unit: 3 });
    const field = find<HTMLInputElement>(".nnw-unit-field");
    const type = async (value: string) => {
      field.value = value;
      field.dispatchEvent(new Event("change"));
      await settle();
    };
    expect(field.value).toBe("3");
    await type("5, 2, 11");
    await type("five");
    expect(field.getAttribute("aria-invalid")).toBe("true");
    await type("");
    named("Backward").click();
    await settle();
    expect(requests(model)).toEqual([
      ["unit", { unit: [5, 2, 11] }],
      ["unit", { unit: null }],
      ["direction", { direction: "backward" }],
    ]);
    expect(named("Backward").getAttribute("aria-pressed")).toBe("true");
  });

  it("switches a unit, the layer, and everything on again", async () => {
    const { model, named, text } = inspector({ unit: [5, 2, 3] });
    named("Switch unit 5 off").click();
    await settle();
    expect(text(".nnw-layer-actions")).toContain("Off for the probe batch: 5");
    named("Switch unit 5 on").click();
    await settle();
    named("Switch the layer off").click();
    await settle();
    expect(named("Switch the layer off").disabled).toBe(true);
    named("Switch on again").click();
    await settle();
    expect(requests(model)).toEqual([
      ["ablate", { units: [5] }],
      ["restore", {}],
      ["ablate", { units: null }],
      ["restore", {}],
    ]);
    expect(named("Switch on again").disabled).toBe(true);
  });

  it("dims the picture of another layer while it waits for the one that was asked for", async () => {
    const { row, find, text } = inspector({ late: true });
    row("4")?.click();
    await settle();
    expect(find('[role="tabpanel"]').getAttribute("aria-busy")).toBe("true");
    expect(text(".nnw-layer-title")).toBe("4 · Conv2d 1×32×14×14");
    expect(text(".nnw-queued")).toContain("The layer is queued: it acts when the cell ends.");
  });
});

describe("long work", () => {
  it("shows how far it is, and can be cancelled", async () => {
    const { model, named, find, shown, text } = inspector({ tab: "feature", unit: 5 });
    named("Find an input that drives it").click();
    await settle(700);
    expect(shown(".nnw-busy")).toBe(true);
    expect(text(".nnw-busy")).toMatch(/The input that drives the unit: working … \d+ \/ 256/);
    expect(Number(find(".nnw-busy [role=progressbar]").getAttribute("aria-valuenow"))).toBe(20);
    expect(named("Find an input that drives it").disabled).toBe(true);
    expect(shown(".nnw-queued")).toBe(false);
    named("Cancel").click();
    await settle();
    expect(model.sent.at(-1)).toMatchObject({ type: "cancel" });
    expect(shown(".nnw-busy")).toBe(false);
    expect(shown(".nnw-problem")).toBe(false);
  });

  it("of somebody else is shown, and left to them", async () => {
    const { model, shown, all } = inspector();
    model.busy = { action: "best_samples", fraction: null, note: "" };
    model.publish();
    await settle();
    expect(shown(".nnw-busy")).toBe(true);
    expect(all(".nnw-busy button").every((button) => button.hidden)).toBe(true);
  });
});

describe("samples and time", () => {
  it("are a radio group: one tab stop, arrows choose", async () => {
    const { model, all, press } = inspector();
    const samples = all('[role="radio"]');
    expect(samples.map((item) => item.getAttribute("aria-label")).slice(0, 2)).toEqual([
      "Sample 1: 0",
      "Sample 2: 5",
    ]);
    samples[0]?.focus();
    press("ArrowRight");
    press("ArrowRight");
    await settle();
    expect(model.sample).toBe(2);
    expect(all('[role="radio"][tabindex="0"]')).toEqual([samples[2]]);
    expect(samples[2]?.getAttribute("aria-checked")).toBe("true");
    samples[7]?.click();
    await settle();
    expect(model.sample).toBe(7);
  });

  it("without pictures are numbers, and many have a field", async () => {
    const { model, all, find } = inspector();
    const { meta } = model.get("_samples") as { meta: object };
    model.set("_samples", {
      v: 1,
      meta: { ...meta, seq: 999, kind: "other", count: 500, labels: null },
      arrays: {},
    });
    await settle();
    expect(
      all('[role="radio"]')
        .map(({ textContent }) => textContent)
        .slice(0, 3),
    ).toEqual(["1", "2", "3"]);
    const field = find<HTMLInputElement>(".nnw-number-field");
    expect([field.hidden, field.max, all('[role="radio"]').length]).toEqual([false, "500", 64]);
    field.value = "321";
    field.dispatchEvent(new Event("change"));
    await settle();
    expect(model.sample).toBe(320);
  });

  it("go back to the steps whose weights are kept, and to live again", async () => {
    const { model, find, named, text } = inspector();
    const time = find<HTMLInputElement>(".nnw-when input");
    expect([time.max, time.value, time.getAttribute("aria-valuetext")]).toEqual([
      "23",
      "23",
      "3,412",
    ]);
    expect(named("Live").getAttribute("aria-pressed")).toBe("true");
    time.value = "11";
    time.dispatchEvent(new Event("input"));
    await settle();
    expect(model.cursor).toBe(1706);
    expect(text(".nnw-layer-title")).toContain("weights kept at step 1,706");
    expect(named("Live").getAttribute("aria-pressed")).toBe("false");
    named("Live").click();
    await settle(200);
    expect(model.cursor).toBeNull();
    expect(time.value).toBe("23");
    // The end of the slider is the newest step, not the newest that was kept.
    time.value = "23";
    time.dispatchEvent(new Event("input"));
    await settle(200);
    expect(requests(model).at(-1)).toEqual(["cursor", { step: null }]);
  });

  it("look again when asked to, for weights that changed where no step was seen", async () => {
    const { model, named } = inspector();
    named("Look again").click();
    await settle();
    expect(requests(model)).toEqual([["refresh", {}]]);
  });

  it("follow another widget's choice", async () => {
    const { model, find } = inspector();
    model.cursor = 1000;
    model.publish();
    await settle();
    const time = find<HTMLInputElement>(".nnw-when input");
    expect(time.getAttribute("aria-valuetext")).toBe("995");
  });

  it("send only the newest of a drag, at most ten times a second", async () => {
    const { model, find } = inspector();
    const time = find<HTMLInputElement>(".nnw-when input");
    for (let position = 0; position < 20; position++) {
      time.value = String(position);
      time.dispatchEvent(new Event("input"));
    }
    await settle(150);
    const steps = requests(model).map(([, args]) => (args as { step: number }).step);
    expect(steps).toEqual([142, 2843]);
  });
});

describe("what is not as usual", () => {
  it.each<[string, Parameters<typeof inspector>[0], string]>([
    ["no word of the kernel yet", { silent: true }, "Waiting for the kernel …"],
    ["no layer chosen", { selected: "" }, "Choose a layer to look into."],
    ["no sample", { blind: true }, "No input is known yet, so no activations can be shown."],
  ])("%s", (_, options, sentence) => {
    const { all } = inspector(options);
    const said = all(".nnw-empty-text").filter((item) => item.closest("[hidden]") === null);
    expect(said.map(({ textContent }) => textContent).join("")).toContain(sentence);
  });

  it("a forward pass that fails is told, and its layer is a click away", async () => {
    const { model, named, text } = inspector({ failure: { layer: "9", text: "no such shape" } });
    expect(text(".nnw-problem:not([hidden])")).toContain("The forward pass failed in 9: no such");
    named("Show the layer").click();
    await settle();
    expect(model.selected).toBe("9");
  });

  it("an error of the kernel is one line", () => {
    const { text } = inspector({ error: "The layer probe failed." });
    expect(text(".nnw-problem")).toContain("The layer probe failed.");
  });

  it("a kernel that is gone: the picture stays, and what needs one is off", async () => {
    const { model, text, find, named, all } = inspector({ deaf: true });
    await settle(SILENT_AFTER);
    expect(text(".nnw-banner")).toContain("No kernel answers.");
    expect(named("Live").disabled).toBe(true);
    expect(all('[role="radio"]').every((item) => item.matches(":disabled"))).toBe(true);
    expect(find('[role="tabpanel"]').getAttribute("aria-busy")).toBe("false");
    expect(text(".nnw-layer-heading")).toBe("6 · ReLU");
    model.emit("comm:close");
    await settle();
    expect(text(".nnw-banner")).toContain("This widget was closed.");
  });

  it("a choice that nobody reports back is forgotten after a moment", async () => {
    const { model, row, text } = inspector();
    // It says yes and does something else.
    vi.spyOn(model, "set").mockImplementation(() => undefined);
    row("9")?.click();
    await settle();
    expect(text(".nnw-layer-heading")).toBe("9 · Linear");
    await settle(REPORT_WITHIN);
    expect(text(".nnw-layer-heading")).toBe("6 · ReLU");
  });

  it("of clicks on layers only the last is waited for", async () => {
    const { model, row } = inspector({ late: true });
    for (const name of ["1", "2", "3"]) row(name)?.click();
    await settle();
    const kinds = model.sent.filter(({ action }) => action !== "hello").map(({ type }) => type);
    expect(kinds.filter((type) => type === "cancel")).toHaveLength(2);
    expect(row("3")?.getAttribute("aria-selected")).toBe("true");
  });
});

describe("views", () => {
  it("of one inspector show the same, and leave nothing behind", async () => {
    const { row, view, find } = inspector();
    const second = view();
    row("9")?.click();
    await settle();
    expect(second.text(".nnw-layer-heading")).toBe("9 · Linear");
    expect(find(".nnw-fault").hidden).toBe(true);
  });

  it("speak Chinese", () => {
    const { text, named, row } = inspector({ language: "zh" });
    expect(text(".nnw-title")).toBe("网络层");
    expect(named("图")).toBeDefined();
    expect(row("6")?.textContent).toContain("6 个失活");
    expect(text(".nnw-layer-title")).toBe(
      "6 · ReLU 1×32×14×14，探测样本第 1 个，共 8 个（sample_index 0），第 3,412 步",
    );
  });

  it("save what the kernel draws", async () => {
    const { model, named, all } = inspector();
    const made = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:picture");
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => undefined);
    named("Export").click();
    const items = all('[role="menuitem"]');
    expect(items.map(({ textContent }) => textContent)).toEqual([
      "PNG picture",
      "SVG picture",
      "HTML page",
    ]);
    items[1]?.click();
    await settle();
    expect(requests(model)).toEqual([["export", { format: "svg" }]]);
    expect(made).toHaveBeenCalledTimes(1);
  });
});
