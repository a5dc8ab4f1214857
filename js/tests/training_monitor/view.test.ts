import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel, type FakeOptions } from "../../demo/fake_model";
import { SimulatedRun } from "../../demo/run";
import { SILENT_AFTER } from "../../src/link";
import { QUEUED_AFTER } from "../../src/requests";
import widget from "../../src/training_monitor/index";
import { openPage, type Page, place } from "../page";

let page: Page;
let life: AbortController;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  page = openPage();
  life = new AbortController();
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

/** A monitor on a simulated run, `steps` steps in. */
function monitor(options: FakeOptions = {}, steps = 3412) {
  const model = new FakeModel(options);
  model.run.advance(steps);
  if (steps > 0) model.publish();
  const make = widget();
  make.initialize({ model, signal: life.signal });
  const view = () => {
    const el = place();
    make.render({ model, el, signal: life.signal });
    return ui(el);
  };
  return { model, view, ...view() };
}

function ui(el: HTMLElement) {
  const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
  const find = <E extends HTMLElement = HTMLElement>(selector: string): E => {
    const found = el.querySelector<E>(selector);
    if (found === null) throw new Error(`no ${selector}`);
    return found;
  };
  const named = (name: string): HTMLButtonElement => {
    const found = all("button").find(
      (button) => (button.getAttribute("aria-label") ?? button.textContent) === name,
    );
    if (found === undefined) throw new Error(`no button ${name}`);
    return found as HTMLButtonElement;
  };
  const text = (selector: string) => find(selector).textContent ?? "";
  const shown = (selector: string) =>
    all(selector).some((element) => element.closest("[hidden]") === null);
  return { el, all, find, named, text, shown };
}

/** Lets answers arrive and the next frame be drawn. */
async function settle(milliseconds = 50) {
  await vi.advanceTimersByTimeAsync(milliseconds);
  page.frame();
}

const requests = (model: FakeModel) =>
  model.sent
    .filter(({ type, action }) => type === "request" && action !== "hello")
    .map(({ action, args }) => [action, args]);

describe("the header", () => {
  it("says what runs and how it goes", () => {
    const { text, find } = monitor();
    expect(text(".nnw-title")).toBe("Digits CNN");
    expect(text(".nnw-pill")).toBe("Running");
    expect(text(".nnw-where")).toBe("epoch 13 / 20 · step 3,412");
    expect(text(".nnw-pace")).toBe("124 it/s · 0:15 left");
    expect(text(".nnw-header-cost")).toContain("watching costs 0.9");
    expect(find('[role="progressbar"]').getAttribute("aria-valuenow")).toBe("65");
  });

  it("says a change of state aloud, and nothing at first", async () => {
    const { model, text } = monitor();
    expect(text(".nnw-header > .nnw-spoken")).toBe("");
    model.state = "paused";
    model.publish();
    await settle();
    expect(text(".nnw-header > .nnw-spoken")).toBe("Paused");
  });
});

describe("each state", () => {
  it.each<[FakeOptions["state"], string, boolean, string]>([
    ["idle", "Ready", false, "Pause"],
    ["running", "Running", true, "Pause"],
    ["paused", "Paused", true, "Resume"],
    ["stopped", "Stopped", false, "Pause"],
    ["finished", "Finished", false, "Pause"],
  ])("%s is called %s and offers what applies", (state, label, active, first) => {
    const { text, named } = monitor({ state: state ?? "idle" });
    expect(text(".nnw-pill")).toBe(label);
    expect([named(first).disabled, named("Step").disabled, named("Stop").disabled]).toEqual([
      !active,
      !active,
      !active,
    ]);
  });

  it("stopping is said while the step ends", () => {
    const model = new FakeModel();
    model.stopping = true;
    model.run.advance(10);
    model.publish();
    const make = widget();
    const el = place();
    make.initialize({ model, signal: life.signal });
    make.render({ model, el, signal: life.signal });
    expect(ui(el).text(".nnw-pill")).toBe("Stopping");
    expect(ui(el).named("Pause").disabled).toBe(true);
  });

  it("before the kernel has spoken: waiting", () => {
    const { text, shown } = monitor({}, 0);
    expect(text(".nnw-pill")).toBe("Waiting");
    expect(text(".nnw-empty-text")).toMatch(/Waiting for the kernel/);
    expect(shown(".nnw-foot")).toBe(false);
  });

  it("nothing logged: what to do", () => {
    const { model, text, shown } = monitor({ state: "idle" }, 0);
    model.publish();
    page.frame();
    expect(text(".nnw-empty-text")).toMatch(/Nothing logged yet/);
    expect(text(".nnw-empty code")).toContain("log(");
    expect([shown(".nnw-foot"), shown(".nnw-layers-part")]).toEqual([false, false]);
  });

  it("an error is one line, and goes away with its cause", async () => {
    const options: FakeOptions = { error: "The probe failed." };
    const { model, find } = monitor(options);
    expect(find('.nnw-problem[role="alert"]').textContent).toContain("The probe failed.");
    options.error = "";
    model.publish();
    await settle();
    expect(find(".nnw-problem").hidden).toBe(true);
  });

  it("no kernel: the last picture, controls off, a sentence", async () => {
    const { text, shown, named, find } = monitor({ deaf: true });
    await settle(SILENT_AFTER);
    expect(text(".nnw-pill")).toBe("Saved");
    expect(text(".nnw-banner")).toMatch(/No kernel answers/);
    expect(named("Pause").disabled).toBe(true);
    expect(find<HTMLInputElement>(".nnw-rate input").disabled).toBe(true);
    expect(shown(".nnw-panel")).toBe(true);
  });

  it("closed: said, also while it ran", async () => {
    const { model, text, named } = monitor();
    model.emit("comm:close");
    await settle();
    expect(text(".nnw-pill")).toBe("Closed");
    expect(named("Stop").disabled).toBe(true);
  });

  it("a run that is over stays finished without its kernel", async () => {
    const { text } = monitor({ deaf: true, state: "finished" });
    await settle(SILENT_AFTER);
    expect(text(".nnw-pill")).toBe("Finished");
  });

  it("speaks Chinese", () => {
    const { text, named } = monitor({ language: "zh" });
    expect(text(".nnw-pill")).toBe("运行中");
    expect(named("暂停")).toBeDefined();
  });
});

describe("clicks", () => {
  it("pause, resume, step and stop", async () => {
    const { model, named, text } = monitor();
    named("Pause").click();
    await settle();
    expect(text(".nnw-pill")).toBe("Paused");
    named("Resume").click();
    await settle();
    named("Step").click();
    await settle();
    named("Stop").click();
    await settle();
    expect(requests(model).map(([action]) => action)).toEqual(["pause", "resume", "step", "stop"]);
    expect(text(".nnw-pill")).toBe("Stopped");
  });

  it("that wait are shown, with what for, and can be withdrawn", async () => {
    const { model, named, find, text } = monitor({ late: true });
    named("Pause").click();
    expect(find(".nnw-queued").hidden).toBe(true);
    await settle();
    expect(text(".nnw-queued")).toContain("Pause is queued: it acts when the cell ends.");
    named("Withdraw").click();
    await settle();
    expect(find(".nnw-queued").hidden).toBe(true);
    expect(model.sent.at(-1)).toMatchObject({ type: "cancel" });
  });

  it("that a kernel leaves unanswered are shown after a moment", async () => {
    const { model, named, find, text } = monitor({ deaf: true });
    model.publish();
    named("Stop").click();
    await settle(QUEUED_AFTER - 10);
    expect(find(".nnw-queued").hidden).toBe(true);
    await settle(10);
    expect(text(".nnw-queued")).toContain("Stop is on its way");
  });

  it("that fail say why, until dismissed", async () => {
    const { model, named, find, text } = monitor({ deaf: true });
    named("Step").click();
    const { id } = model.sent.find(({ action }) => action === "step") ?? {};
    model.emit("msg:custom", { type: "error", id, error: "nothing trains." }, []);
    await settle();
    expect(text(".nnw-problem")).toContain("nothing trains.");
    named("Dismiss").click();
    page.frame();
    expect(find(".nnw-problem").hidden).toBe(true);
  });

  it("in one view show in the other", async () => {
    const { named, view } = monitor();
    const second = view();
    named("Pause").click();
    await settle();
    expect(second.text(".nnw-pill")).toBe("Paused");
  });
});

describe("the learning rate", () => {
  const slide = (input: HTMLInputElement, position: number) => {
    input.value = String(position);
    input.dispatchEvent(new Event("input"));
    input.dispatchEvent(new Event("change"));
  };

  it("is sent once it rests, as a factor, and shown in force", async () => {
    const { model, find, text } = monitor();
    const input = find<HTMLInputElement>(".nnw-rate input");
    expect([input.getAttribute("aria-label"), input.getAttribute("aria-valuetext")]).toEqual([
      "Learning rate",
      "0.0500",
    ]);
    for (const position of [-0.5, -0.75, -1]) slide(input, position);
    expect(requests(model)).toEqual([]);
    await settle(200);
    expect(requests(model)).toEqual([["set_lr_scale", { value: 0.1 }]]);
    expect(text(".nnw-rate .nnw-value")).toBe("0.00500");
    expect(text(".nnw-factor")).toBe("×0.10");
  });

  it("goes back to ×1", async () => {
    const { model, find, named, text } = monitor();
    expect(named("Reset the learning rate to ×1").disabled).toBe(true);
    slide(find<HTMLInputElement>(".nnw-rate input"), 1);
    await settle(200);
    named("Reset the learning rate to ×1").click();
    await settle(200);
    expect(requests(model).at(-1)).toEqual(["set_lr_scale", { value: 1 }]);
    expect(text(".nnw-factor")).toBe("×1.0");
  });

  it("cannot be steered without an optimiser, and says so", () => {
    const { find } = monitor({ logOnly: true });
    expect(find<HTMLInputElement>(".nnw-rate input").disabled).toBe(true);
    expect(find(".nnw-rate").title).toMatch(/optimizer=/);
  });
});

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

  it("hide and show a series by its legend", async () => {
    const { named } = monitor();
    const legend = named("Show val_loss");
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
    expect(rows[1]?.querySelector(".nnw-badge")?.textContent).toBe("6 of 32");
    expect(rows[3]?.textContent).toContain("frozen");
    expect(rows[3]?.lastElementChild?.textContent).toBe("–");
    expect(text(".nnw-part-head")).toContain("sampled at step 3,361");
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
