import { describe, expect, it } from "vitest";
import { pack } from "../../demo/pack";
import { chosenOf, samePlace } from "../../src/decision_boundary/asking";
import { accuracyText, stepBehind } from "../../src/decision_boundary/header";
import { leads } from "../../src/decision_boundary/leads";
import { largest, placeOfPoint, placeWords } from "../../src/decision_boundary/point";
import { pointValues } from "../../src/decision_boundary/point_values";
import { readLive, readPoints, readSurface } from "../../src/decision_boundary/state";
import { wordsFor } from "../../src/ui/i18n";
import { unpack } from "../../src/wire";
import { place } from "../page";
import { boundary, elsewhere, page, requests, settle, shown } from "./boundary";

describe("a place that is explained", () => {
  it("is asked for with the keys, shown at once, and closed again", async () => {
    const { model, find, press, part, text, shown: seen, named } = boundary();
    expect(text(".nnw-said")).toContain("Click the picture");
    find(".nnw-plane").focus();
    press("ArrowRight");
    press("Enter");
    await settle(1);
    expect(seen(".nnw-point")).toBe(true);
    expect(text(".nnw-point-state")).toContain("being asked");
    expect(seen(".nnw-point-facts")).toBe(false);
    await settle();
    const [action, args] = requests(model)[0] as [string, { at: number[]; id: null }];
    expect([action, args.at.length, args.id]).toEqual(["point", 2, null]);
    expect(seen(".nnw-point-state")).toBe(false);
    const heading = find(".nnw-point h3").textContent ?? "";
    expect(heading).toMatch(/^At \(−?\d/);
    const rows = [
      ...(part(heading).parentElement?.querySelectorAll(".nnw-bars .nnw-bar-row") ?? []),
    ];
    expect(rows.length).toBeGreaterThan(3);
    named("Close").click();
    await settle();
    expect(requests(model).at(-1)).toEqual(["unpoint", {}]);
    expect(seen(".nnw-point")).toBe(false);
  });

  it("has the probabilities of the classes, weights, a rule, changes, near points", async () => {
    const { model, all, part, seen } = boundary({ uncertain: "ensemble", trained: 200 });
    elsewhere(model, "rules", { on: true, max_depth: 2 });
    elsewhere(model, "point", { at: [0.42, -0.31], id: null });
    await settle();
    const meta = (model.get("_point") as { meta: Record<string, unknown> }).meta;
    const numbers = all(".nnw-bars:not(.nnw-bars-signed) .nnw-bar-number").map((one) =>
      Number(one.textContent?.replace(/\s*%$/, "")),
    );
    expect(all(".nnw-bar-number")[0]?.textContent).toMatch(/\d\.\d\u202f%$/);
    expect(numbers).toHaveLength(3);
    expect(Math.abs(numbers.reduce((sum, one) => sum + one, 0) - 100)).toBeLessThan(0.2);
    expect(all(".nnw-bar-spread").some(seen)).toBe(true);
    const strong = all(".nnw-bar-row[data-strong] .nnw-bar-name").map((one) => one.textContent);
    expect(strong).toEqual(["ABC"[meta.label as number]]);
    expect(part("How sure").textContent).toContain((meta.uncertainty as { text: string }).text);
    const weights = all(".nnw-bars-signed .nnw-bar-name").map((one) => one.textContent);
    expect(weights).toEqual(["x₁", "x₂", "humidity"]);
    expect(part("Rule that applies").textContent).toContain(meta.rule as string);
    const changes = meta.changes as { text: string; at: number[] | null }[];
    expect(part("Smallest change to another answer").querySelectorAll("li")).toHaveLength(
      changes.length,
    );
    const reached = changes.find(({ at }) => at !== null);
    const lead = [...part("Smallest change to another answer").querySelectorAll("button")].find(
      ({ textContent }) => textContent === reached?.text,
    );
    lead?.click();
    await settle();
    expect(requests(model).at(-1)).toEqual(["point", { at: reached?.at, id: null }]);
  });

  it("leads to near points, which are drawn", async () => {
    const { model, part } = boundary();
    elsewhere(model, "point", { at: [0.42, -0.31], id: null });
    await settle();
    const near = part("Nearest training points").querySelectorAll("button");
    expect(near.length).toBeGreaterThan(0);
    near[0]?.click();
    await settle();
    const [action, args] = requests(model).at(-1) as [string, { at: number[]; id: number }];
    expect(action).toBe("point");
    const drawn = model.world.points.all.find(({ id }) => id === args.id);
    expect(drawn?.x[0]).toBeCloseTo(args.at[0] as number, 4);
  });

  it("says the value of a regression, and no more than a problem when it failed", async () => {
    const values = boundary({ data: "values" });
    elsewhere(values.model, "point", { at: [0.2, 0.1], id: null });
    await settle();
    expect(values.text(".nnw-verdict")).toMatch(/^The model says −?\d/);
    expect(values.shown(".nnw-bars:not(.nnw-bars-signed)")).toBe(false);
    const failed = boundary({ said: "failed" });
    elsewhere(failed.model, "point", { at: [0.2, 0.1], id: null });
    await settle();
    expect(failed.text(".nnw-point-state")).toBe("The model raised an error in layer 2.");
    expect(failed.shown(".nnw-point-facts")).toBe(false);
  });

  it("says of an old answer how old it is", async () => {
    const { model, text, find } = boundary({ said: "stale" });
    elsewhere(model, "point", { at: [0.2, 0.1], id: null });
    await settle();
    const step = (model.get("_point") as { meta: { step: number } }).meta.step;
    // Beside the heading, so that nothing moves when it is said.
    expect(text(".nnw-point-step")).toBe(`as of step ${step}`);
    expect(find(".nnw-point-step").title).toContain("the model has learned since");
    expect(find(".nnw-point-facts").classList.contains("nnw-outdated")).toBe(true);
  });
});

describe("the step of an answer", () => {
  it("is told, and marked where the picture is of another one", async () => {
    const { model, text, find } = boundary();
    elsewhere(model, "point", { at: [0.2, 0.1], id: null });
    await settle();
    const { meta, arrays } = unpack(model.get("_point") as Parameters<typeof unpack>[0]);
    const step = Number(meta.step);
    expect(text(".nnw-point-step")).toBe(`step ${step}`);
    expect(find(".nnw-point-step").classList.contains("nnw-old")).toBe(false);
    model.set("_point", pack({ ...meta, seq: 1e6, step: step - 7 }, arrays as never));
    await settle();
    expect(text(".nnw-point-step")).toBe(`as of step ${step - 7}`);
    expect(find(".nnw-point-step").classList.contains("nnw-old")).toBe(true);
  });
});

describe("work that nobody waits for", () => {
  it("is not announced, and keeps nobody from the loss landscape", async () => {
    const { model, all, named } = boundary();
    elsewhere(model, "point", { at: [0.2, 0.1], id: null });
    await settle();
    const live = unpack(model.get("_live") as Parameters<typeof unpack>[0]);
    const at = (seq: number, action: string) => {
      const busy = { action, fraction: 0.5, note: "" };
      model.set("_live", pack({ ...live.meta, seq: 1e6 + seq, busy }, live.arrays as never));
    };
    at(1, "point");
    await settle();
    expect(all(".nnw-busy").every((one) => one.hidden)).toBe(true);
    expect(named("Compute").disabled).toBe(false);
    const point = unpack(model.get("_point") as Parameters<typeof unpack>[0]);
    const waiting = { ...point.meta, seq: 1e6, state: "working" };
    model.set("_point", pack(waiting, point.arrays as never));
    await settle();
    expect(all(".nnw-busy").find((one) => !one.hidden)?.textContent).toContain("The explanation");
  });
});

describe("those who do not see it", () => {
  const spoken = (all: (selector: string) => HTMLElement[]) =>
    all(".nnw-spoken").at(-1)?.textContent ?? "";

  it("are told the answer once, not again with every step", async () => {
    const { model, all, named } = boundary();
    elsewhere(model, "point", { at: [0.42, -0.31], id: null });
    await settle();
    expect(spoken(all)).toMatch(/^At \(0\.42, −0\.31\): [ABC] \d/);
    const said = all(".nnw-spoken").at(-1);
    if (said) said.textContent = "";
    for (let round = 0; round < 6; round++) model.advance(4);
    await settle();
    expect(spoken(all)).toBe("");
    // The button is gone: whoever pressed it stands at the picture again.
    named("Close").focus();
    named("Close").click();
    await settle();
    expect(document.activeElement?.classList.contains("nnw-plane")).toBe(true);
  });

  it("are told how many points there are when all have changed", async () => {
    const { all, named } = boundary();
    named("Clear").click();
    await settle();
    expect(spoken(all)).toBe("Now 0 training and 0 test points.");
  });
});

describe("small decisions", () => {
  it("a drawn point is the same wherever it is dragged to; a place is not", () => {
    expect(samePlace({ at: [0, 1], id: 3 }, { at: [5, 5], id: 3 })).toBe(true);
    expect(samePlace({ at: [0, 1], id: null }, { at: [0, 1], id: null })).toBe(true);
    expect(samePlace({ at: [0, 1], id: null }, { at: [0, 2], id: null })).toBe(false);
    expect([samePlace(null, null), samePlace(null, { at: [0, 1], id: 3 })]).toEqual([true, false]);
    expect(chosenOf(null)).toBeNull();
  });

  it("lists the largest in their own order, and the one that must not be missing", () => {
    const values = [0.1, 0.5, 0.05, 0.3, 0.05];
    expect(largest(values, 3, null)).toEqual([0, 1, 3]);
    expect(largest(values, 3, 4)).toEqual([1, 3, 4]);
    expect(largest(values, 9, null)).toEqual([0, 1, 2, 3, 4]);
  });

  it("writes a place as exactly as the picture shows it", () => {
    expect(placeWords([0.4217, -0.3149], [-1, 1, -1, 1])).toEqual(["0.42", "−0.31"]);
    expect(placeWords([421.7, -0.3149], [0, 1000, -1, 1])).toEqual(["422", "−0.31"]);
    // A hair below zero is zero to these digits.
    expect(placeWords([-0.0012, 0.0012], [-2, 2, -1, 1])).toEqual(["0.00", "0.00"]);
  });

  it("finds where a drawn point stands", () => {
    const points = readPoints(
      unpack(
        pack(
          { seq: 1 },
          {
            xy: Float32Array.of(1, 2, 3, 4),
            id: Float64Array.of(8, 6),
            y: Uint8Array.of(0, 0),
          },
        ),
      ),
    );
    expect(placeOfPoint(points, 6)).toEqual([3, 4]);
    expect([placeOfPoint(points, 7), placeOfPoint(null, 6)]).toEqual([null, null]);
  });

  it("leaves out of the accuracy what nobody knows", () => {
    const surface = readSurface(
      unpack(pack({ seq: 1, kind: "classes", accuracy: { train: 0.97, test: null } })),
    );
    expect(accuracyText(surface, wordsFor("en"))).toBe("train 97.0\u202f%");
    expect(accuracyText(null, wordsFor("en"))).toBe("");
  });
});

describe("long lists", () => {
  const signal = new AbortController().signal;
  const words = wordsFor("en");
  const shownIn = (element: Element, selector: string) =>
    [...element.querySelectorAll<HTMLElement>(selector)].filter(
      (one) => one.closest("[hidden]") === null,
    );

  it("show five leads, and all when asked; a row keeps the focus while words change", () => {
    const went: unknown[] = [];
    const { element, draw } = leads(words, signal, (at, id) => went.push([at, id]));
    place().append(element);
    const many = (count: number, word: string) =>
      Array.from({ length: count }, (_, k) => ({
        text: `${word} ${k}`,
        at: k === 1 ? null : ([k, 0] as const),
        id: null,
        color: null,
      }));
    draw(many(13, "a"), true);
    const more = [...element.querySelectorAll("button")].at(-1);
    expect(shownIn(element, "li")).toHaveLength(5);
    expect(more?.textContent).toBe("and 8 more");
    const third = element.querySelectorAll("li")[2]?.querySelector("button");
    third?.focus();
    draw(many(13, "b"), true);
    expect(document.activeElement).toBe(third);
    expect(third?.textContent).toBe("b 2");
    third?.click();
    expect(went).toEqual([[[2, 0], null]]);
    more?.click();
    expect(shownIn(element, "li")).toHaveLength(13);
    expect([more?.textContent, more?.getAttribute("aria-expanded")]).toEqual([
      "Show fewer",
      "true",
    ]);
    draw(many(3, "c"), false);
    expect(shownIn(element, "li").map((row) => row.textContent?.trim())).toEqual([
      "c 0",
      "c 1",
      "c 2",
    ]);
    expect(shownIn(element, "button").every((one) => (one as HTMLButtonElement).disabled)).toBe(
      true,
    );
  });

  it("leave values out above six until somebody wants them", () => {
    const { element, draw } = pointValues(words, signal);
    const values = (count: number) =>
      Array.from({ length: count }, (_, k) => ({ name: `feature ${k}`, value: String(k) }));
    draw(values(2));
    expect(element.hidden).toBe(true);
    draw(values(6));
    expect(shownIn(element, "dd").map((one) => one.textContent)).toEqual([..."012345"]);
    expect(shownIn(element, "button")).toHaveLength(0);
    draw(values(13));
    expect(shownIn(element, "dd")).toHaveLength(0);
    const toggle = element.querySelector("button");
    expect(toggle?.textContent).toBe("Values of all 13 features");
    toggle?.click();
    expect(shownIn(element, "dt").at(-1)?.textContent).toBe("feature 12");
    toggle?.click();
    expect(shownIn(element, "dd")).toHaveLength(0);
  });
});

describe("a picture that is far behind the run", () => {
  const behind = (step: number, now: number, past = false) => {
    const surface = readSurface(unpack(pack({ seq: 1, step, past })));
    const live = readLive(unpack(pack({ seq: 1, step: now })));
    return stepBehind(surface, live);
  };

  it("says which step its numbers are of", () => {
    expect(behind(1, 295)).toBe(1);
    expect([behind(290, 295), behind(1, 11), behind(950, 1000)]).toEqual([null, null, null]);
    expect([behind(890, 1000), behind(1, 12)]).toEqual([890, 1]);
    // Of an earlier step that somebody has gone to, always.
    expect([behind(999, 1000, true), behind(1000, 1000, true)]).toEqual([999, null]);
    expect(stepBehind(null, null)).toBeNull();
  });

  it("says so beside the accuracy", async () => {
    const { model, text } = boundary();
    expect(text(".nnw-accuracy-name")).toBe("accuracy");
    const live = unpack(model.get("_live") as Parameters<typeof unpack>[0]);
    const shownStep = (model.get("_surface") as { meta: { step: number } }).meta.step;
    model.set("_live", pack({ ...live.meta, seq: 1e6, step: 5000 }, live.arrays as never));
    await settle();
    expect(text(".nnw-accuracy-name")).toBe(`as of step ${shownStep}`);
  });
});

describe("the tools", () => {
  const pointsOf = (model: { world: { points: { all: readonly unknown[] } } }) =>
    model.world.points.all.length;

  it("put points of the class that is chosen, with the keys as well", async () => {
    const { model, part, find, press, named, text } = boundary();
    const before = pointsOf(model);
    // Whoever chooses a class wants to draw it.
    const third = [...part("Draw").querySelectorAll("button")].find(
      ({ textContent }) => textContent === "C",
    );
    third?.click();
    named("▲ Test").click();
    await settle();
    expect(named("Add").getAttribute("aria-pressed")).toBe("true");
    expect(text(".nnw-boundary-hands")).toContain("put points there");
    find(".nnw-plane").focus();
    press("ArrowUp");
    press("Enter");
    await settle();
    const [action, args] = requests(model).at(-1) as [string, Record<string, unknown>];
    expect([action, args.y, args.test]).toEqual(["add", 2, true]);
    expect(pointsOf(model)).toBe(before + 1);
    named("Undo").click();
    await settle();
    expect(pointsOf(model)).toBe(before);
    expect(named("Redo").disabled).toBe(false);
    named("Redo").click();
    named("Clear").click();
    await settle();
    expect(requests(model).slice(-3)).toEqual([
      ["undo", {}],
      ["redo", {}],
      ["clear", {}],
    ]);
    expect(pointsOf(model)).toBe(0);
    expect(named("Clear").disabled).toBe(true);
  });

  it("put values where the model says values, and nothing where there are no labels", async () => {
    const values = boundary({ data: "values" });
    values.drag("Value of new points", 0.5);
    await settle();
    values.find(".nnw-plane").focus();
    values.press("ArrowUp");
    values.press("Enter");
    await settle();
    const put = values.find<HTMLInputElement>('input[aria-label="Value of new points"]');
    expect(requests(values.model).at(-1)).toMatchObject(["add", { y: put.valueAsNumber }]);
    const none = boundary({ labelled: false });
    none.named("Add").click();
    await settle();
    none.find(".nnw-plane").focus();
    none.press("ArrowUp");
    none.press("Enter");
    await settle();
    expect(requests(none.model).at(-1)).toMatchObject(["add", { y: null }]);
  });

  it("list many classes rather than showing a button each", () => {
    const { offers } = boundary({ data: "ten" });
    expect(offers("Class of new points")).toHaveLength(10);
    expect(boundary().offers("Class of new points")).toBeNull();
  });

  it("put well-known sets of points, each time another sample", async () => {
    const { model, named, drag, part } = boundary({ data: "spirals" });
    named("Data").click();
    drag("Noise", 0.2);
    const sets = [...part("Draw").querySelectorAll<HTMLButtonElement>(".nnw-toys button")];
    expect(sets.map(({ textContent }) => textContent)).toContain("Spirals");
    const moons = sets.find(({ textContent }) => textContent === "Spirals");
    moons?.click();
    moons?.click();
    await settle();
    const toys = requests(model).map(([, args]) => args as Record<string, unknown>);
    expect(toys).toMatchObject([
      { name: "spirals", noise: 0.2, n: 200, seed: 0 },
      { name: "spirals", noise: 0.2, n: 200, seed: 1 },
    ]);
    // Toy data has two features.
    expect(boundary().shown(".nnw-data")).toBe(false);
  });
});

describe("rules", () => {
  it("are asked for with a depth, listed with what they cover, and put away", async () => {
    const { model, part, choose, all, offers } = boundary({ trained: 200 });
    const box = part("Rules").querySelector<HTMLInputElement>("input");
    if (!box) throw new Error("no box");
    box.checked = true;
    box.dispatchEvent(new Event("change"));
    await settle(1);
    expect(part("Rules").textContent).toContain("being found");
    await settle();
    expect(requests(model)).toEqual([["rules", { on: true, max_depth: 3 }]]);
    const { rules } = (model.get("_rules") as { meta: { rules: { text: string }[] } }).meta;
    expect(all(".nnw-rules .nnw-rule-text").map((one) => one.textContent)).toEqual(
      rules.map(({ text }) => text),
    );
    expect(part("Rules").textContent).toMatch(/agree with the model at \d/);
    await choose("Depth", "2");
    expect(requests(model).at(-1)).toEqual(["rules", { on: true, max_depth: 2 }]);
    // Python may ask for more than the list had: it can be come back to.
    elsewhere(model, "rules", { on: true, max_depth: 8 });
    await settle();
    expect(offers("Depth")).toEqual(["1", "2", "3", "4", "5", "8"]);
    await choose("Depth", "2");
    expect(offers("Depth")).toContain("8");
    box.checked = false;
    box.dispatchEvent(new Event("change"));
    await settle();
    expect(requests(model).at(-1)).toEqual(["rules", { on: false, max_depth: 2 }]);
    expect(part("Rules").textContent).toContain("A few rules");
  });
});

describe("the loss landscape", () => {
  it("is computed on request, says how far it is, and can be stopped", async () => {
    const { model, part, named, all } = boundary();
    named("Compute").click();
    await settle(400);
    const section = part("Loss landscape");
    expect(section.textContent).toContain("being computed");
    expect(section.querySelector('[role="progressbar"]')?.closest("[hidden]")).toBeNull();
    // It says so in its own place only.
    expect(all(".nnw-busy").every((one) => one.hidden)).toBe(true);
    const stop = [...section.querySelectorAll("button")].find(
      ({ textContent }) => textContent === "Stop",
    );
    stop?.click();
    await settle(400);
    expect(section.textContent).not.toContain("being computed");
    expect(model.sent.some(({ type }) => type === "cancel")).toBe(true);
  });
});

describe("the foot", () => {
  it("shows the units of a layer", async () => {
    const { model, choose, list, all, seen } = boundary();
    const layer = list("Hidden units").options[1]?.value ?? "";
    await choose("Hidden units", layer);
    expect(requests(model)).toEqual([["units", { layer }]]);
    expect(all(".nnw-unit").filter(seen).length).toBeGreaterThan(1);
    all(".nnw-unit")[1]?.click();
    await settle();
    expect(requests(model).at(-1)).toEqual(["unit", { unit: 1 }]);
    expect(all(".nnw-unit")[1]?.getAttribute("aria-pressed")).toBe("true");
    await choose("Hidden units", "");
    expect(all(".nnw-unit").some(seen)).toBe(false);
  });

  it("does not say for ever that units are being asked", async () => {
    const { model, text } = boundary({ state: "finished" });
    const waiting = { seq: 1e6, layer: "1", count: 0, units: [], state: "stale", problem: null };
    model.set("_units", pack(waiting, {}));
    await settle();
    expect(text(".nnw-units")).toContain("stopped before there was an answer");
    const live = unpack(model.get("_live") as Parameters<typeof unpack>[0]);
    const busy = { action: "units", fraction: null, note: "" };
    model.set("_live", pack({ ...live.meta, seq: 1e6, busy }, live.arrays as never));
    await settle();
    expect(text(".nnw-units")).toContain("being asked");
  });

  it("goes back in time, and to the newest step", async () => {
    const { model, drag, named, text } = boundary({ trained: 120 });
    for (let round = 0; round < 12; round++) model.advance(12);
    await settle();
    const slider = drag("film", 0);
    await settle(200);
    const [action, args] = requests(model).at(-1) as [string, { step: number }];
    expect(action).toBe("cursor");
    expect(args.step).toBeGreaterThan(-1);
    slider.dispatchEvent(new Event("change"));
    await settle();
    expect(named("Live").getAttribute("aria-pressed")).toBe("false");
    expect(text(".nnw-picture-state")).toContain(`Step ${args.step}`);
    named("Live").click();
    await settle(200);
    expect(requests(model).at(-1)).toEqual(["cursor", { step: null }]);
    expect(named("Live").getAttribute("aria-pressed")).toBe("true");
    named("Look again").click();
    await settle();
    expect(requests(model).at(-1)).toEqual(["refresh", {}]);
  });

  it("shows the film's frame while the slider moves, without a kernel too", async () => {
    const first = boundary({ trained: 120 });
    for (let round = 0; round < 12; round++) first.model.advance(12);
    const traits: Record<string, unknown> = { _offline: true, language: "en", view: "probability" };
    for (const name of ["_live", "_choices", "_surface", "_points", "_film", "_point"]) {
      traits[name] = first.model.get(name);
    }
    const saved = {
      get: (name: string) => traits[name],
      on() {},
      off() {},
      send() {},
    };
    const { drag, named, text } = shown(saved);
    await settle();
    expect(text(".nnw-banner")).toContain("A saved page");
    expect(named("Entropy").disabled).toBe(true);
    expect(text(".nnw-said")).toContain("No place is explained");
    const drawn = () => page.calls.filter(({ name }) => name === "drawImage").length;
    const before = drawn();
    const slider = drag("film", 0);
    await settle();
    expect(drawn()).toBeGreaterThan(before);
    expect(slider.disabled).toBe(false);
    slider.dispatchEvent(new Event("change"));
    await settle(2000);
    // Nobody will bring the picture of that step: its frame stays.
    expect(slider.valueAsNumber).toBe(0);
    named("Live").click();
    await settle();
    expect(slider.valueAsNumber).toBe(Number(slider.max));
  });
});
