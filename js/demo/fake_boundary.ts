/** A DecisionBoundaryPlot's kernel in the page: its model is small, and really learns. */

import type { Json, JsonObject } from "../src/wire";
import { Film } from "./fake_boundary_film";
import { Landscape } from "./fake_boundary_landscape";
import type { Place, Rectangle } from "./fake_boundary_plane";
import { type Fitted, NOTHING, pointOf, rulesOf, unitsOf } from "./fake_boundary_said";
import { choicesOf, pointsOf, surfaceOf, type Trait } from "./fake_boundary_traits";
import { World, type WorldOptions } from "./fake_boundary_world";
import { FakeKernel, type KernelOptions } from "./fake_kernel";
import { type PackedDict, pack } from "./pack";

export interface BoundaryOptions extends KernelOptions, WorldOptions {
  title?: string;
  language?: string;
  /** Of the run. */
  state?: string;
  view?: string;
  interest?: number | null;
  uncertain?: World["uncertain"];
  projection?: World["projection"];
  resolution?: number;
  /** How the picture stands, and what is said besides. */
  surface?: "ready" | "refining" | "stale" | "failed" | "working";
  said?: "ready" | "stale" | "failed" | "working";
  /** Nothing has been asked of the model yet. */
  blind?: boolean;
  /** Nothing can be exported. */
  unexportable?: boolean;
  error?: string;
  /** A click that waits for the end of the cell, as the kernel tells it. */
  queued?: string;
}

const PACKED = [
  "_live",
  "_choices",
  "_points",
  "_surface",
  "_film",
  "_units",
  "_point",
  "_rules",
  "_landscape",
] as const;
type Packed = (typeof PACKED)[number];

/** What follows from another picture. */
const PICTURE: readonly Packed[] = ["_surface", "_film", "_units", "_point", "_rules"];
/** What follows from other points; the picture follows when the loop comes by. */
const EDITED: readonly Packed[] = ["_points", "_choices"];
/** Pictures between two that rules are fitted to. */
const RULES_EVERY = 6;
/** Calls of `advance` between two pictures. */
const PICTURE_EVERY = 3;

export class FakeBoundary extends FakeKernel {
  readonly world: World;
  state: string;
  view: string;
  interest: number | null;
  readonly #options: BoundaryOptions;
  readonly #resolution: number;
  readonly #due = new Set<Packed>(PACKED);
  readonly #film = new Film();
  #asked: { at: Place; id: number | null } | null = null;
  #depth: number | null = null;
  #rules: Fitted | null = null;
  #layer: string | null = null;
  #unit: number | null = null;
  #landscape: Landscape | null = null;
  #edited = false;
  #newest = 0;
  #pictures = 0;
  #calls = 0;

  constructor(options: BoundaryOptions = {}) {
    const { title = "", language = "" } = options;
    const empty = Object.fromEntries(PACKED.map((name) => [name, {}]));
    super(options, { title, language, view: "", interest: null, ...empty });
    this.#options = options;
    this.#resolution = options.resolution ?? 100;
    this.state = options.state ?? "running";
    this.world = new World(options);
    this.world.uncertain = options.uncertain ?? null;
    this.world.projection = options.projection ?? "slice";
    this.world.reframe();
    this.view = options.view ?? (this.world.kind === "values" ? "value" : "probability");
    this.interest = options.interest ?? null;
  }

  /** What changes while it trains. */
  advance(steps: number): void {
    if (this.state === "running") this.world.train(steps);
    this.#due.add("_live");
    this.#calls += 1;
    // Kept steps do not change: the picture of one stands still.
    const moves = this.state === "running" && this.world.cursor === null;
    if (this.#edited || (moves && this.#calls % PICTURE_EVERY === 0)) this.#look();
    const newest = this.world.steps.at(-1) ?? 0;
    // Frames of steps that were kept before stay as they were.
    if (newest !== this.#newest) this.#mark(["_film", "_choices"]);
    this.#newest = newest;
    this.publish();
  }

  override publish(): void {
    // Without a loop there is nobody to wait for.
    if (this.#edited && this.state !== "running") this.#look();
    this.set("_live", this.#live());
    this.#due.delete("_live");
    if (this.get("view") !== this.view) this.set("view", this.view);
    if (this.get("interest") !== this.interest) this.set("interest", this.interest);
    for (const name of PACKED) {
      if (!this.#due.delete(name)) continue;
      if (this.#options.blind === true && name !== "_choices") continue;
      const { meta, arrays } = this.#trait(name);
      this.set(name, pack({ seq: this.nextSeq(), ...meta }, arrays));
    }
  }

  #mark(names: readonly Packed[]): void {
    for (const name of names) this.#due.add(name);
  }

  /** Makes the picture anew, and what follows from it. */
  #look(): void {
    this.#edited = false;
    this.#pictures += 1;
    this.#mark(["_surface", "_units", "_point"]);
    if (this.#pictures % RULES_EVERY === 0) this.#mark(["_rules"]);
  }

  #trait(name: Exclude<Packed, "_live"> | Packed): Trait {
    const { world, view, interest } = this;
    const looking = { view, interest, resolution: this.#resolution };
    switch (name) {
      case "_choices":
        return { meta: choicesOf(world, this.#resolution), arrays: {} };
      case "_points":
        return pointsOf(world);
      case "_surface":
        return this.#surface(surfaceOf(world, looking));
      case "_film":
        return this.#film.trait(world, looking);
      case "_units":
        return this.#said(
          this.#layer === null ? null : unitsOf(world, this.#layer, this.#unit, this.#resolution),
        );
      case "_point":
        return this.#said(this.#asked === null ? null : pointOf(world, this.#asked, this.#rules));
      case "_rules":
        this.#rules = this.#depth === null ? null : rulesOf(world, this.#depth);
        return this.#said(this.#rules?.trait ?? null);
      case "_landscape":
        return this.#landscape?.trait() ?? NOTHING;
      default:
        return NOTHING;
    }
  }

  /** A picture that does not stand as it should. */
  #surface(whole: Trait): Trait {
    const { surface = "ready" } = this.#options;
    if (surface === "ready") return whole;
    const meta: JsonObject = { ...whole.meta, state: surface };
    if (surface === "refining") return { ...whole, meta: { ...meta, asked: 0.31, error: 0.04 } };
    if (surface === "stale") return { ...whole, meta };
    meta.rectangle = null;
    if (surface === "failed") {
      meta.problem = "The model raised an error in layer 2: it takes 3 features, not 2.";
    }
    return { meta, arrays: {} };
  }

  #said(whole: Trait | null): Trait {
    if (whole === null) return NOTHING;
    const { said = "ready" } = this.#options;
    if (said === "ready") return whole;
    if (said === "stale") return { ...whole, meta: { ...whole.meta, state: said } };
    // Nothing is known yet, or never will be, but what was asked.
    const problem = said === "failed" ? "The model raised an error in layer 2." : null;
    const { at = null, id = null, layer = null, max_depth = null } = whole.meta;
    return { meta: { state: said, problem, at, id, layer, max_depth }, arrays: {} };
  }

  #live(): PackedDict {
    const { queued } = this.#options;
    return pack(
      {
        seq: this.nextSeq(),
        state: this.state,
        step: this.world.step,
        route: this.options.late
          ? { key: "route.cell_end", params: {}, live: false }
          : { key: "route.subshell", params: {}, live: true },
        queued: queued === undefined ? null : { action: queued, waits: "cell" },
        cursor: this.world.cursor,
        budget: 0.02,
        error: this.#options.error ?? null,
        status: [],
        busy: this.#landscape?.busy ?? null,
      },
      { numbers: Float64Array.of(240, 0.011, this.world.step / 240) },
    );
  }

  // --- requests ------------------------------------------------------------------------------

  protected override act(
    action: string,
    args: JsonObject,
    id: number,
  ): PackedDict | null | string | undefined {
    if (this.#edit(action, args)) {
      this.#edited = true;
      this.#mark(EDITED);
      const version = this.world.points.version;
      this.emit("msg:custom", { type: "reply", id, result: { version }, packed: null }, []);
      return undefined;
    }
    if (this.#choose(action, args)) {
      this.#mark(["_choices", "_points", ...PICTURE]);
      return null;
    }
    switch (action) {
      case "point":
        this.#asked = { at: place(args.at), id: numberOf(args.id) };
        this.#mark(["_point"]);
        break;
      case "unpoint":
        this.#asked = null;
        this.#mark(["_point"]);
        break;
      case "rules":
        this.#depth = args.on === true ? (numberOf(args.max_depth) ?? 3) : null;
        this.#mark(["_rules", "_point"]);
        // The point tells its rule, which must be known first.
        this.#rules = this.#depth === null ? null : rulesOf(this.world, this.#depth);
        break;
      case "units":
        this.#layer = args.layer === null ? null : String(args.layer);
        this.#unit = null;
        this.#mark(["_units"]);
        break;
      case "unit":
        this.#unit = numberOf(args.unit);
        this.#mark(["_units"]);
        break;
      case "landscape":
        return this.#explore(args.on === true, id);
      case "stop":
        this.#landscape?.stop();
        break;
      case "export":
        if (this.#options.unexportable === true) {
          return "The figure could not be made: the disk is full. Free some space and try again.";
        }
        return pack(
          { name: `boundary.${String(args.format)}`, mime: "text/plain" },
          { file: new TextEncoder().encode("a picture\n") },
        );
    }
    return null;
  }

  /** Edits of the points; false if `action` is none. */
  #edit(action: string, args: JsonObject): boolean {
    const { world } = this;
    const { points } = world;
    const ids = Array.isArray(args.ids) ? args.ids.map(Number) : [];
    switch (action) {
      case "add":
        points.add([
          {
            x: world.plane.toInput(place(args.at)),
            y: world.labelled ? numberOf(args.y) : null,
            test: args.test === true,
          },
        ]);
        return true;
      case "move":
        world.move(ids, (args.at as Json[]).map(place), String(args.gesture));
        return true;
      case "label":
        points.label(ids, Number(args.y));
        return true;
      case "delete":
        points.delete(ids);
        return true;
      case "clear":
        points.replace([]);
        return true;
      case "undo":
        points.undo();
        return true;
      case "redo":
        points.redo();
        return true;
      case "toy":
        world.toy(String(args.name), {
          n: numberOf(args.n) ?? 200,
          noise: numberOf(args.noise) ?? 0.1,
          seed: numberOf(args.seed) ?? 0,
        });
        this.#mark(["_film"]);
        return true;
      default:
        return false;
    }
  }

  /** What is looked at; false if `action` does not change that. */
  #choose(action: string, args: JsonObject): boolean {
    const { world } = this;
    switch (action) {
      case "view":
        this.view = String(args.view);
        return true;
      case "interest":
        this.interest = numberOf(args.interest);
        return true;
      case "axes":
        world.axes = [Number(args.x), Number(args.y)];
        world.projection = "slice";
        break;
      case "held":
        world.held = world.held.map((value, at) =>
          at === args.column ? Number(args.value) : value,
        );
        world.others = "given";
        return true;
      case "others":
        world.hold(args.others as "median" | "mean" | "sample", numberOf(args.sample));
        return true;
      case "projection":
        world.projection = args.projection as World["projection"];
        break;
      case "uncertainty":
        world.uncertain = args.uncertainty as World["uncertain"];
        if (world.uncertain === null && /epistemic|aleatoric/.test(this.view)) {
          this.view = world.kind === "values" ? "value" : "probability";
        }
        return true;
      case "zoom":
        world.zoom = Array.isArray(args.rectangle)
          ? (args.rectangle.map(Number) as unknown as Rectangle)
          : null;
        return true;
      case "cursor":
        world.cursor = numberOf(args.step);
        return true;
      case "refresh":
        world.reframe();
        return true;
      default:
        return false;
    }
    // Other axes have another frame, and what was asked lay in the old one.
    world.zoom = null;
    world.reframe();
    this.#asked = null;
    return true;
  }

  #explore(on: boolean, id: number): null | undefined {
    this.#landscape?.stop();
    this.#landscape = null;
    this.#mark(["_landscape"]);
    if (!on) return null;
    this.emit("msg:custom", { type: "accepted", id, waits: null }, []);
    this.#landscape = new Landscape(this.world, id, (busy) => {
      this.#mark(["_landscape"]);
      if (busy === null) this.reply(id, null);
      else this.emit("msg:custom", { type: "progress", id, ...busy }, []);
      this.publish();
    });
    return undefined;
  }

  protected override cancelled(id: number): void {
    if (this.#landscape?.id === id) this.#landscape.stop();
  }
}

const numberOf = (value: Json | undefined): number | null =>
  typeof value === "number" ? value : null;

const place = (value: Json | undefined): Place => {
  const [x, y] = Array.isArray(value) ? value.map(Number) : [];
  return [x ?? 0, y ?? 0];
};
