import { beforeEach, describe, expect, it, vi } from "vitest";
import { SimulatedRun } from "../../demo/run";
import { monitor, page, requests, settle, type ui } from "./monitor";

describe("charts", () => {
  it("show newest values in words, NaN among them", () => {
    const { all, find } = monitor({ run: new SimulatedRun(7, 3411) });
    const heads = all(".nnw-panel-title").map((title) => title.textContent);
    expect(heads).toEqual(["loss", "accuracy", "gradient norm", "learning rate"]);
    const value = find(".nnw-legend-item .nnw-newest");
    expect(value.textContent).toBe("NaN");
    expect(value.classList).toContain("nnw-bad");
  });

  it("have a text alternative with points, newest and best", () => {
    const { all } = monitor();
    const summary = all(".nnw-panel .nnw-panel-head > .nnw-spoken")[0]?.textContent ?? "";
    expect(summary).toMatch(/loss: 3,412 points, newest 0\.\d+\./);
    expect(summary).toMatch(/val_loss: 12 points.*Best 0\.2\d+ at step 2,\d{3}\./);
  });

  it("say the best of the validation, and when it was", async () => {
    const { text, find } = monitor();
    expect(text(".nnw-best")).toMatch(/^best 0\.\d+ at \d,\d+$/);
    expect(find(".nnw-best").title).toBe(text(".nnw-best"));
    const { shown } = monitor({}, 5); // before the first validation there is none
    expect(shown(".nnw-best")).toBe(false);
  });

  it("hide and show a series by its legend", async () => {
    const { all } = monitor();
    const legend = all(".nnw-legend-item").find((item) => item.textContent?.startsWith("val"));
    if (legend === undefined) throw new Error("no legend for the validation loss");
    expect(legend.getAttribute("aria-pressed")).toBe("true");
    legend.click();
    await settle();
    expect(legend.getAttribute("aria-pressed")).toBe("false");
    legend.click();
    await settle();
    expect(legend.getAttribute("aria-pressed")).toBe("true");
  });

  it("stay the same elements while the run goes on", async () => {
    const { model, all } = monitor();
    const before = all(".nnw-panel");
    model.advance(100);
    await settle();
    expect(all(".nnw-panel")).toEqual(before);
    expect(all(".nnw-panel").every((panel, i) => panel === before[i])).toBe(true);
  });

  const zoomIn = (find: ReturnType<typeof ui>["find"]) =>
    find(".nnw-chart").dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true }));

  it("ask for what a zoom shows, the newest range only", async () => {
    const { model, find, shown, named } = monitor();
    zoomIn(find);
    page.frame();
    zoomIn(find);
    await settle(200);
    const asked = requests(model);
    expect(asked).toHaveLength(1);
    const [action, args] = asked[0] as [string, Record<string, number>];
    expect(action).toBe("view");
    expect(args).toMatchObject({ axis: "step" });
    expect(args.x0).toBeGreaterThan(1);
    expect((args.x1 as number) - (args.x0 as number)).toBeCloseTo(3411 / 4, -1);
    expect(shown(".nnw-foot .nnw-button")).toBe(true);
    named("Reset zoom").click();
    await settle(200);
    expect(named("Reset zoom").hidden).toBe(true);
    expect(requests(model)).toHaveLength(1);
  });

  it("zoom without a kernel in what the page holds", async () => {
    const { model, find, named } = monitor({ deaf: true });
    model.emit("comm:close");
    await settle();
    zoomIn(find);
    await settle(200);
    expect(named("Reset zoom").hidden).toBe(false);
    expect(requests(model)).toEqual([]);
  });
});

describe("the time cursor", () => {
  it("goes to a finding's step, and back to live", async () => {
    const { model, named, find } = monitor();
    named("Go to step 2,367").click();
    await settle();
    expect(model.cursor).toBe(2367);
    const slider = find<HTMLInputElement>(".nnw-foot input");
    expect(slider.getAttribute("aria-valuetext")).toBe("2,367");
    expect(named("Live").getAttribute("aria-pressed")).toBe("false");
    await settle(200);
    named("Live").click();
    await settle(200);
    expect(model.cursor).toBeNull();
    expect(named("Live").getAttribute("aria-pressed")).toBe("true");
  });

  it("follows another widget's choice", async () => {
    const { model, find } = monitor();
    model.cursor = 1000;
    model.publish();
    await settle();
    expect(find(".nnw-foot input").getAttribute("aria-valuetext")).toBe("1,000");
  });
});

describe("findings", () => {
  it("say what, why and what to try, with their weight in words", async () => {
    const { all, named, find } = monitor();
    const rows = all(".nnw-finding");
    expect(rows.map(({ dataset }) => dataset.severity)).toEqual(["warning", "info"]);
    expect(rows[0]?.textContent).toContain("Warning:");
    expect(find(".nnw-advice").hidden).toBe(true);
    named("What to try").click();
    expect(find(".nnw-advice").hidden).toBe(false);
    expect(named("What to try").getAttribute("aria-expanded")).toBe("true");
  });

  it("keep their advice open and the focus in place while numbers change", async () => {
    const { model, named, find } = monitor();
    named("What to try").click();
    named("What to try").focus();
    model.advance(5);
    await settle();
    expect(find(".nnw-advice").hidden).toBe(false);
    expect(document.activeElement).toBe(named("What to try"));
  });

  it("and messages are text, never markup", () => {
    const { find, all } = monitor({
      findings: [],
      messages: [{ text: "<img src=x onerror=alert(1)>", level: "warning", step: 4, count: 3 }],
    });
    expect(all("img")).toHaveLength(0);
    expect(find(".nnw-message").textContent).toContain("<img src=x onerror=alert(1)>");
    expect(find(".nnw-message").textContent).toContain("step 4 · 3 times");
  });
});

describe("layers", () => {
  it("are a table with numbers, dead units and what is frozen", () => {
    const { all, text } = monitor();
    const rows = all(".nnw-layers tbody tr");
    expect(rows).toHaveLength(4);
    expect(rows[1]?.textContent).toContain("Conv2d 16→32");
    expect(rows[1]?.querySelector(".nnw-badge")?.textContent).toBe("12 of 32");
    expect(rows[3]?.textContent).toContain("frozen");
    expect(rows[3]?.lastElementChild?.textContent).toBe("–");
    expect(text(".nnw-part-head")).toContain("sampled at step 3,361");
  });

  it("raise no alarm over a few dead units, of which no finding tells", () => {
    const { all } = monitor({}, 600);
    const row = all(".nnw-layers tbody tr")[1];
    expect(row?.lastElementChild?.textContent).toBe("3 of 32");
    expect(row?.querySelector(".nnw-badge")).toBeNull();
  });

  it("are not there without a model", () => {
    expect(monitor({ logOnly: true }).shown(".nnw-layers-part")).toBe(false);
  });
});

describe("export", () => {
  const saved: string[] = [];
  beforeEach(() => {
    saved.length = 0;
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
      this: HTMLAnchorElement,
    ) {
      saved.push(this.download);
    });
  });

  it("asks the kernel for the file", async () => {
    const { model, named } = monitor();
    named("Export").click();
    named("CSV (every point)").click();
    await settle();
    expect(requests(model)).toEqual([["export", { format: "csv" }]]);
    expect(saved).toEqual(["run.csv"]);
  });

  it("without a kernel saves what the page holds, and offers no SVG", async () => {
    const { model, named } = monitor({ deaf: true });
    model.emit("comm:close");
    await settle();
    named("Export").click();
    expect(named("SVG picture").disabled).toBe(true);
    named("JSON (what this page holds)").click();
    await settle();
    expect(saved).toEqual(["Digits_CNN.json"]);
  });

  it("is a menu for the keyboard: arrows, Escape, and the focus comes back", () => {
    const { named } = monitor();
    const opener = named("Export");
    const press = (key: string) =>
      document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    opener.focus();
    press("ArrowDown");
    expect(opener.getAttribute("aria-expanded")).toBe("true");
    expect(document.activeElement?.textContent).toBe("PNG picture");
    press("ArrowUp");
    expect(document.activeElement?.textContent).toBe("JSON (every point)");
    press("Escape");
    expect(opener.getAttribute("aria-expanded")).toBe("false");
    expect(document.activeElement).toBe(opener);
  });
});
