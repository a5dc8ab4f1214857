import { describe, expect, it } from "vitest";
import { SILENT_AFTER } from "../../src/link";
import { boundary, requests, settle } from "./boundary";

describe("the header", () => {
  it("says how the run goes, how often it is right, and what watching costs", async () => {
    const { model, text, find } = boundary();
    expect(text(".nnw-title")).toBe("Decision boundary");
    expect(text(".nnw-pill")).toBe("Running");
    expect(text(".nnw-header-step")).toBe(`step ${model.world.step}`);
    expect(text(".nnw-accuracy")).toMatch(/^train \d+\.\d\u202f% · test \d+\.\d\u202f%$/);
    expect(find(".nnw-accuracy").title).toContain("gets right");
    expect(text(".nnw-header-cost")).toContain("watching costs 1.1");
    model.set("title", "Spirals");
    model.state = "paused";
    model.publish();
    await settle();
    expect([text(".nnw-title"), text(".nnw-pill")]).toEqual(["Spirals", "Paused"]);
  });

  it("gives R² for values, and nothing where no labels are known", () => {
    expect(boundary({ data: "values" }).text(".nnw-accuracy")).toMatch(/^train R² −?0\.\d+ · test/);
    const without = boundary({ labelled: false });
    expect(without.shown(".nnw-accuracy")).toBe(false);
  });
});

describe("how the space is shown", () => {
  it("has a button for each view that applies, and shows a choice at once", async () => {
    const { model, all, named, text } = boundary();
    const views = () => all(".nnw-how .nnw-button-segment").map(({ textContent }) => textContent);
    expect(views()).toEqual(["Probability", "Label", "Entropy", "Margin"]);
    expect(named("Probability").getAttribute("aria-pressed")).toBe("true");
    named("Entropy").click();
    await settle(1);
    expect(named("Entropy").getAttribute("aria-pressed")).toBe("true");
    expect(model.get("view")).toBe("probability");
    await settle();
    expect(requests(model)).toEqual([["view", { view: "entropy" }]]);
    expect(model.get("view")).toBe("entropy");
    expect(named("Entropy").getAttribute("aria-pressed")).toBe("true");
    expect(text(".nnw-plane-scale")).toContain("nats");
  });

  it("shows one class alone, by its probability whatever was shown before", async () => {
    const { model, offers, choose, named, find } = boundary();
    expect(offers("Show")).toEqual(["all classes", "A", "B", "C"]);
    await choose("Show", "1");
    expect(requests(model)).toEqual([["interest", { interest: 1 }]]);
    await choose("Show", "");
    expect(requests(model).at(-1)).toEqual(["interest", { interest: null }]);
    named("Label").click();
    await settle();
    const list = find<HTMLSelectElement>('select[aria-label="Show"]');
    expect([offers("Show")?.length, list.value]).toEqual([4, ""]);
    await choose("Show", "2");
    await settle();
    expect(requests(model).slice(-2)).toEqual([
      ["view", { view: "probability" }],
      ["interest", { interest: 2 }],
    ]);
    expect([model.get("view"), model.get("interest"), list.value]).toEqual(["probability", 2, "2"]);
  });

  it("says why a way to uncertainty cannot be had, and offers new views with one that can", async () => {
    const { model, list, choose, all, offers } = boundary();
    const { uncertainties } = (model.get("_choices") as { meta: { uncertainties: object[] } }).meta;
    const refused = (uncertainties as { name: string; problem: string | null }[]).filter(
      ({ problem }) => problem !== null,
    );
    expect(refused.length).toBeGreaterThan(0);
    for (const { name, problem } of refused) {
      const option = [...list("How sure").options].find(({ value }) => value === name);
      expect(option?.disabled).toBe(true);
      expect(option?.textContent).toContain(problem);
    }
    expect(offers("How sure")?.[0]).toBe("this model alone");
    await choose("How sure", "ensemble");
    expect(requests(model)).toEqual([["uncertainty", { uncertainty: "ensemble" }]]);
    expect(
      all(".nnw-how .nnw-button-segment")
        .slice(-2)
        .map((one) => one.textContent),
    ).toEqual(["Epistemic", "Aleatoric"]);
    await choose("How sure", "");
    expect(requests(model).at(-1)).toEqual(["uncertainty", { uncertainty: null }]);
  });

  it("lets axes change places rather than show one feature twice", async () => {
    const { model, choose, offers } = boundary();
    expect(offers("Feature across")).toEqual(["x₁", "x₂", "humidity"]);
    await choose("Feature across", "1");
    await choose("Feature upwards", "2");
    expect(requests(model)).toEqual([
      ["axes", { x: 1, y: 0 }],
      ["axes", { x: 1, y: 2 }],
    ]);
    expect(boundary({ data: "spirals" }).offers("Feature across")).toBeNull();
  });

  it("holds the others with sliders, of which the last position always arrives", async () => {
    const { model, named, drag, choose, all, seen, find, text } = boundary();
    const opener = named("Held fixed");
    opener.click();
    expect(opener.getAttribute("aria-expanded")).toBe("true");
    expect(all(".nnw-held-name").map(({ textContent }) => textContent)).toEqual(["humidity"]);
    const slider = drag("humidity", 0.2);
    drag("humidity", 0.3);
    const last = drag("humidity", 0.4).valueAsNumber;
    await settle(1);
    // It stays where it was put until the kernel has said so.
    expect(slider.valueAsNumber).toBe(last);
    await settle(200);
    const sent = requests(model);
    expect(sent.length).toBeLessThan(4);
    expect(sent.at(-1)).toEqual(["held", { column: 2, value: last }]);
    expect(text(".nnw-held-row .nnw-value")).toBe(last.toPrecision(3));
    await choose("All others at", "mean");
    expect(requests(model).at(-1)).toEqual(["others", { others: "mean", sample: null }]);
    await choose("All others at", "sample");
    const number = find<HTMLInputElement>('input[aria-label="Number of the sample"]');
    number.value = "7";
    number.dispatchEvent(new Event("change"));
    await settle();
    expect(requests(model).at(-1)).toEqual(["others", { others: "sample", sample: 7 }]);
    find(".nnw-held").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    expect(seen(find(".nnw-held"))).toBe(false);
  });

  it("shows a projection without axes to choose", async () => {
    const { model, choose, offers, seen, named } = boundary();
    await choose("Plane", "pca");
    expect(requests(model)).toEqual([["projection", { projection: "pca" }]]);
    expect(offers("Feature across")).toBeNull();
    expect(seen(named("Held fixed"))).toBe(false);
  });

  it("leads back from a zoom", async () => {
    const { model, seen, named } = boundary();
    expect(seen(named("Whole"))).toBe(false);
    model.send({
      type: "request",
      id: -1,
      action: "zoom",
      args: { rectangle: [-0.5, 0.5, -0.5, 0.5] },
    });
    await settle();
    expect(seen(named("Whole"))).toBe(true);
    named("Whole").click();
    await settle();
    expect(requests(model).at(-1)).toEqual(["zoom", { rectangle: null }]);
    expect(seen(named("Whole"))).toBe(false);
  });

  it("hands over a file, or says why not", async () => {
    const { model, named, text, shown } = boundary({ unexportable: true });
    named("Export").click();
    named("SVG picture").click();
    await settle();
    expect(requests(model)).toEqual([["export", { format: "svg", dark: false }]]);
    expect(text(".nnw-problem")).toContain("the disk is full");
    named("Dismiss").click();
    await settle();
    expect(shown(".nnw-problem")).toBe(false);
  });
});

describe("the legend", () => {
  it("counts the points and hides those of a class", async () => {
    const { model, named, text, all } = boundary();
    const { train, test } = model.world.points.all.reduce(
      (sum, point) => {
        sum[point.test ? "test" : "train"] += 1;
        return sum;
      },
      { train: 0, test: 0 },
    );
    expect(text(".nnw-legend-key")).toBe(`● train ${train} · ▲ test ${test} · ringed: wrong`);
    const classes = () => all(".nnw-legend-class").map((one) => one.getAttribute("aria-pressed"));
    expect(classes()).toEqual(["true", "true", "true"]);
    all(".nnw-legend-class")[1]?.click();
    await settle();
    expect(classes()).toEqual(["true", "false", "true"]);
    const box = named("A")
      .closest(".nnw-boundary")
      ?.querySelector<HTMLInputElement>(".nnw-boundary-legend input");
    if (!box) throw new Error("no box");
    box.checked = false;
    box.dispatchEvent(new Event("change"));
    await settle();
    expect(classes()).toEqual(["false", "false", "false"]);
    // To show one class is to show the points again.
    all(".nnw-legend-class")[1]?.click();
    await settle();
    expect(classes()).toEqual(["true", "true", "true"]);
    expect(requests(model)).toEqual([]);
  });

  it("rings nothing where nothing can be wrong", () => {
    expect(boundary({ data: "values" }).text(".nnw-legend-key")).not.toContain("wrong");
    expect(boundary({ labelled: false }).text(".nnw-legend-key")).not.toContain("wrong");
  });
});

describe("states", () => {
  it("says what it waits for", async () => {
    const { model, text, shown } = boundary({ silent: true });
    expect(text(".nnw-empty-text")).toBe("Waiting for the kernel …");
    expect(shown(".nnw-how") || shown(".nnw-foot")).toBe(false);
    model.publish();
    await settle();
    expect(shown(".nnw-empty")).toBe(false);
    expect(shown(".nnw-plane")).toBe(true);
    const blind = boundary({ blind: true });
    expect(blind.text(".nnw-empty-text")).toBe("The first picture is being computed …");
  });

  it("says what went wrong with a picture, with the points still there", () => {
    const { text, find, shown } = boundary({ surface: "failed" });
    expect(text(".nnw-picture-state")).toContain("takes 3 features, not 2");
    expect(find(".nnw-picture-state").dataset.state).toBe("failed");
    expect(shown(".nnw-legend-class")).toBe(true);
  });

  it("says how much was really asked, and of which step it is", () => {
    expect(boundary({ surface: "refining" }).text(".nnw-picture-quality")).toContain("31\u202f%");
    const { model, text } = boundary({ surface: "stale" });
    expect(text(".nnw-picture-quality")).toContain(`As of step ${model.world.step};`);
  });

  it("says what stands wrong in the kernel", () => {
    const { text, shown, named } = boundary({ error: "The model changed its shape." });
    expect(text(".nnw-problem")).toContain("The model changed its shape.");
    expect(shown(".nnw-problem .nnw-button")).toBe(false);
    expect(named("Entropy").disabled).toBe(false);
  });

  it("says which click waits, and takes it back", async () => {
    const { model, named, text, shown } = boundary({ late: true });
    named("Entropy").click();
    await settle();
    expect(text(".nnw-queued")).toContain("The view");
    named("Withdraw").click();
    await settle();
    expect(shown(".nnw-queued")).toBe(false);
    expect(model.sent.at(-1)).toMatchObject({ type: "cancel" });
    expect(named("Probability").getAttribute("aria-pressed")).toBe("true");
  });

  it("offers nothing that nobody would do", async () => {
    const { text, named, list, find } = boundary({ deaf: true });
    await settle(SILENT_AFTER + 100);
    expect(text(".nnw-banner")).toContain("No kernel answers");
    for (const name of ["Entropy", "Add", "Delete", "Undo", "Clear", "Compute", "Export"]) {
      expect([name, named(name).disabled]).toEqual([name, true]);
    }
    expect(list("How sure").disabled).toBe(true);
    expect(find<HTMLInputElement>('input[aria-label="humidity"]').disabled).toBe(true);
  });

  it("speaks Chinese", () => {
    const { text, all } = boundary({ language: "zh" });
    expect(text(".nnw-title")).toBe("决策边界");
    expect(all(".nnw-how .nnw-button-segment")[0]?.textContent).toBe("概率");
  });

  it("leaves no listeners behind", async () => {
    const { model } = boundary();
    await settle();
    expect(model.listenerCount).toBeGreaterThan(0);
    model.emit("comm:close");
    await settle();
  });
});
