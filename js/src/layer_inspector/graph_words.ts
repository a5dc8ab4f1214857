/** What the nodes of a graph are called, what is known of them, and which a search finds. Pure. */

import type { Words } from "../ui/i18n";
import { linesOf, type NamedFrame } from "./graph_draw";
import type { Frame } from "./graph_frames";
import type { Graph, Rows, Severity, Tree } from "./state";
import { matches, terms } from "./tree_rows";

/** The graph with its modules called as in the tree: "6 · ReLU". */
export function namedGraph(graph: Graph, { rows }: Tree): Graph {
  const nodes = graph.nodes.map((node) => {
    const row = rows[node.layer];
    if (row === undefined) return node;
    return { ...node, label: `${row.short} · ${node.label || row.type}` };
  });
  return { ...graph, nodes };
}

/** Frames with what stands in them: "layer1.0 · BasicBlock", the short name where there is no room. */
export function namedFrames(frames: readonly Frame[], { rows }: Tree): NamedFrame[] {
  return frames.map((frame) => {
    const { short = "", type = "" } = rows[frame.row] ?? {};
    return { ...frame, name: short, label: `${short} · ${type}` };
  });
}

/** What a node is and what it is joined to, in words. */
export function sentenceOf(graph: Graph, node: number, words: Words): string {
  const here = graph.nodes[node];
  if (here === undefined) return "";
  const named = (places: readonly number[]) =>
    places.map((place) => graph.nodes[place]?.label ?? "").join(words("ui.inspector.comma"));
  const from = graph.edges.filter((edge) => edge.to === node).map((edge) => edge.from);
  const to = graph.edges.filter((edge) => edge.from === node).map((edge) => edge.to);
  const [label, shape] = linesOf(here);
  const parts = [label, words(`ui.inspector.node.${here.kind}`), shape];
  if (from.length > 0) parts.push(words("ui.inspector.node_from", { names: named(from) }));
  if (to.length > 0) parts.push(words("ui.inspector.node_to", { names: named(to) }));
  return parts.filter((part) => part !== "").join(words("ui.inspector.comma"));
}

/** Of each node the worst that was found in its module; what is only worth a note is left out. */
export function severitiesOf({ nodes }: Graph, rows: Rows | null): (Severity | null)[] {
  return nodes.map(({ layer }) => {
    const found = (rows?.badges.get(layer) ?? []).map(({ severity }) => severity);
    if (found.includes("error")) return "error";
    return found.includes("warning") ? "warning" : null;
  });
}

/** Places of the nodes that a search finds; null while nothing is searched for. */
export function foundIn({ nodes }: Graph, { rows }: Tree, search: string): Set<number> | null {
  const words = terms(search);
  if (words.length === 0) return null;
  const found = new Set<number>();
  nodes.forEach(({ layer, label }, node) => {
    const row = rows[layer];
    const hit =
      row === undefined
        ? words.every((word) => label.toLowerCase().includes(word))
        : matches(row, words);
    if (hit) found.add(node);
  });
  return found;
}
