import { describe, expect, it } from "vitest";
import type { FakeOptions } from "../../demo/fake_model";
import { SILENT_AFTER } from "../../src/link";
import { QUEUED_AFTER } from "../../src/requests";
import { monitor, page, requests, settle } from "./monitor";

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

  it("stopping is said while the step ends", async () => {
    const { model, text, named } = monitor();
    model.stopping = true;
    model.publish();
    await settle();
    expect(text(".nnw-pill")).toBe("Stopping");
    expect(named("Pause").disabled).toBe(true);
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

  it("a run that is over took its time, one that goes on has only begun to", () => {
    expect(monitor({ state: "finished" }).text(".nnw-pace")).toMatch(/^took \d+:\d\d/);
    expect(monitor({ state: "paused" }).text(".nnw-pace")).toMatch(/^\d+:\d\d so far$/);
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
