/** Paints the data-flow graph on a canvas: boxes, edges with heads, badges as dots. */

import type { Camera } from "./graph_camera";
import { type Frame, HEAD } from "./graph_frames";
import type { Layout, Placed, Point, Size } from "./graph_layout";
import type { Graph, GraphNode, Severity } from "./state";

/** Colours as a canvas understands them. */
export interface Look {
  surface: string;
  raised: string;
  text: string;
  muted: string;
  line: string;
  accent: string;
  accentSoft: string;
  edge: string;
  error: string;
  warning: string;
  family: string;
}

const TOKENS: Record<Exclude<keyof Look, "family">, string> = {
  surface: "var(--nnw-surface)",
  raised: "var(--nnw-raised)",
  text: "var(--nnw-text)",
  muted: "var(--nnw-muted)",
  line: "var(--nnw-control-line)",
  accent: "var(--nnw-accent)",
  accentSoft: "var(--nnw-accent-soft)",
  edge: "color-mix(in srgb, var(--nnw-text) 42%, var(--nnw-surface))",
  error: "var(--nnw-error)",
  warning: "var(--nnw-warning)",
};

/** The colours of the moment, read from an element of the widget. */
export function lookOf(host: HTMLElement): Look {
  const probe = document.createElement("span");
  // With forced colours every element would answer with the same one.
  probe.style.setProperty("forced-color-adjust", "none");
  host.append(probe);
  const look: Look = {
    surface: "",
    raised: "",
    text: "",
    muted: "",
    line: "",
    accent: "",
    accentSoft: "",
    edge: "",
    error: "",
    warning: "",
    family: getComputedStyle(host).fontFamily || "system-ui, sans-serif",
  };
  for (const [name, value] of Object.entries(TOKENS) as [keyof typeof TOKENS, string][]) {
    probe.style.color = value;
    look[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return look;
}

export const LABEL = 12;
const SMALL = 10.5;
const PAD = 10;
const LINE = 15;

/** What stands in a box: the name, and below it the shape that comes out. */
export function linesOf(node: GraphNode): [string, string] {
  const times = node.times > 1 ? ` ×${node.times}` : "";
  return [`${node.label}${times}`, node.shape];
}

/** How large the box of a node is. */
export function sizeOf(node: GraphNode, measure: (text: string, font: number) => number): Size {
  const [label, shape] = linesOf(node);
  const wide = Math.max(measure(label, LABEL), measure(shape, SMALL));
  return {
    width: Math.round(Math.max(34, wide + 2 * PAD)),
    height: shape === "" ? LINE + 9 : 2 * LINE + 8,
  };
}

export interface NamedFrame extends Frame {
  name: string;
  /** With its type, where there is room. */
  label: string;
}

export interface Scene {
  graph: Graph;
  layout: Layout;
  /** Those that stand round others come before them. */
  frames: readonly NamedFrame[];
  /** Of each node: what the kernel has found in its module, if anything. */
  severities: readonly (Severity | null)[];
  /** Places of nodes; -1 for none. */
  selected: number;
  focused: number;
  pointed: number;
  /** Nodes that a search has found; null while nothing is searched for. */
  found: ReadonlySet<number> | null;
}

export function paintGraph(
  ctx: CanvasRenderingContext2D,
  { layout, ...scene }: Scene,
  camera: Camera,
  view: Size,
  look: Look,
  ratio: number,
): void {
  const { scale } = camera;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, view.width, view.height);
  const k = ratio * scale;
  ctx.setTransform(k, 0, 0, k, -camera.x * k, -camera.y * k);
  const window = {
    left: camera.x,
    right: camera.x + view.width / scale,
    top: camera.y,
    bottom: camera.y + view.height / scale,
  };
  // Lines stay as thin as the screen allows when the graph is small.
  const thin = 1.25 / Math.max(scale, 0.35);
  const frames = scene.frames.filter(
    ({ left, top, right, bottom }) =>
      right > window.left && left < window.right && bottom > window.top && top < window.bottom,
  );
  for (const frame of frames) paintFrame(ctx, frame, look, thin);
  for (const { edge, points, back } of layout.routes) {
    const { from, to } = scene.graph.edges[edge] ?? { from: -1, to: -1 };
    const [start, end] = [points[0], points.at(-1)];
    if (start === undefined || end === undefined) continue;
    const [above, below] = start.y < end.y ? [start, end] : [end, start];
    if (above.y > window.bottom || below.y < window.top) continue;
    const near = [scene.selected, scene.focused, scene.pointed];
    const bright = near.includes(from) || near.includes(to);
    ctx.strokeStyle = ctx.fillStyle = bright ? look.accent : look.edge;
    ctx.lineWidth = bright ? 1.6 * thin : thin;
    ctx.setLineDash(back ? [4, 3] : []);
    ctx.globalAlpha = scene.found === null || bright ? 1 : 0.35;
    strokeRoute(ctx, points);
    ctx.setLineDash([]);
    head(ctx, end, back);
  }
  ctx.globalAlpha = 1;
  scene.graph.edges.forEach(({ from, to }) => {
    const box = layout.nodes[from];
    if (from === to && box !== undefined) selfLoop(ctx, box, look, thin);
  });
  if (scale >= 0.3) for (const frame of frames) nameFrame(ctx, frame, look);
  layout.nodes.forEach((box, index) => {
    const node = scene.graph.nodes[index];
    const right = box.x + box.width / 2;
    const bottom = box.y + box.height / 2;
    if (node === undefined || bottom < window.top || box.y - box.height / 2 > window.bottom) return;
    if (right < window.left || box.x - box.width / 2 > window.right) return;
    ctx.globalAlpha = scene.found === null || scene.found.has(index) ? 1 : 0.35;
    paintNode(ctx, node, box, index, scene, look, scale);
  });
  ctx.globalAlpha = 1;
}

function paintFrame(
  ctx: CanvasRenderingContext2D,
  { left, top, right, bottom }: NamedFrame,
  look: Look,
  thin: number,
): void {
  ctx.beginPath();
  ctx.roundRect(left, top, right - left, bottom - top, 7);
  ctx.globalAlpha = 0.45;
  ctx.fillStyle = look.raised;
  ctx.fill();
  ctx.globalAlpha = 0.6;
  ctx.strokeStyle = look.line;
  ctx.lineWidth = 0.8 * thin;
  ctx.stroke();
  ctx.globalAlpha = 1;
}

/** Writes a frame's name into its corner; an edge that comes in there goes behind it. */
function nameFrame(ctx: CanvasRenderingContext2D, frame: NamedFrame, look: Look): void {
  const { left, top, right, label, name } = frame;
  ctx.font = `${SMALL}px ${look.family}`;
  // Edges come in at the middle: the whole name where it ends before that, else the short one.
  const text = ctx.measureText(label).width <= (right - left) / 2 - 10 ? label : name;
  const width = ctx.measureText(text).width;
  if (width > right - left - 10) return;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.globalAlpha = 0.9;
  ctx.fillStyle = look.raised;
  ctx.fillRect(left + 3, top + 2, width + 4, HEAD - 4);
  ctx.globalAlpha = 1;
  ctx.fillStyle = look.muted;
  ctx.fillText(text, left + 5, top + HEAD / 2);
}

function strokeRoute(ctx: CanvasRenderingContext2D, points: readonly Point[]): void {
  ctx.beginPath();
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (before === undefined) ctx.moveTo(point.x, point.y);
    else if (before.x === point.x) ctx.lineTo(point.x, point.y);
    else {
      const middle = (before.y + point.y) / 2;
      ctx.bezierCurveTo(before.x, middle, point.x, middle, point.x, point.y);
    }
  });
  ctx.stroke();
}

function head(ctx: CanvasRenderingContext2D, { x, y }: Point, up: boolean): void {
  const length = up ? 6 : -6;
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(x - 3.5, y + length);
  ctx.lineTo(x + 3.5, y + length);
  ctx.fill();
}

/** A module that takes from itself: a bow at its side. */
function selfLoop(ctx: CanvasRenderingContext2D, box: Placed, look: Look, thin: number): void {
  const x = box.x + box.width / 2;
  ctx.strokeStyle = look.edge;
  ctx.lineWidth = thin;
  ctx.beginPath();
  ctx.moveTo(x, box.y + 6);
  ctx.bezierCurveTo(x + 16, box.y + 9, x + 16, box.y - 9, x, box.y - 6);
  ctx.stroke();
}

function paintNode(
  ctx: CanvasRenderingContext2D,
  node: GraphNode,
  box: Placed,
  index: number,
  scene: Omit<Scene, "layout">,
  look: Look,
  scale: number,
): void {
  const left = box.x - box.width / 2;
  const top = box.y - box.height / 2;
  const ends = node.kind === "input" || node.kind === "output";
  const radius = ends ? box.height / 2 : node.kind === "op" ? 10 : 5;
  const selected = index === scene.selected;
  const outline = (grow: number) => {
    ctx.beginPath();
    ctx.roundRect(left - grow, top - grow, box.width + 2 * grow, box.height + 2 * grow, radius);
  };
  if (node.times > 1) {
    // A pile: what runs several times.
    ctx.fillStyle = look.surface;
    ctx.strokeStyle = look.line;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.roundRect(left + 4, top + 4, box.width, box.height, radius);
    ctx.fill();
    ctx.stroke();
  }
  outline(0);
  ctx.fillStyle = selected ? look.accentSoft : node.kind === "module" ? look.surface : look.raised;
  ctx.fill();
  ctx.strokeStyle = selected || index === scene.pointed ? look.accent : look.line;
  ctx.lineWidth = Math.max(selected ? 2 : 1, (selected ? 1.6 : 0.8) / scale);
  ctx.setLineDash(node.kind === "op" ? [3, 2] : []);
  ctx.stroke();
  ctx.setLineDash([]);
  if (index === scene.focused) {
    outline(3);
    ctx.strokeStyle = look.accent;
    ctx.lineWidth = 2;
    ctx.stroke();
  }
  const severity = scene.severities[index];
  if (severity !== null && severity !== undefined) {
    ctx.fillStyle = severity === "error" ? look.error : look.warning;
    ctx.beginPath();
    ctx.arc(left + box.width - 1, top + 1, 4, 0, 2 * Math.PI);
    ctx.fill();
  }
  if (scale < 0.3) return;
  const [label, shape] = linesOf(node);
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = selected ? look.accent : node.kind === "module" ? look.text : look.muted;
  ctx.font = `${LABEL}px ${look.family}`;
  ctx.fillText(label, box.x, shape === "" ? box.y : box.y - LINE / 2);
  if (shape === "") return;
  ctx.fillStyle = look.muted;
  ctx.font = `${SMALL}px ${look.family}`;
  ctx.fillText(shape, box.x, box.y + LINE / 2);
}
