/**
 * Frames around what belongs together: the nodes inside one module of the tree.
 *
 * A frame is drawn only where it tells the truth: where no box of another module, and no other
 * frame than those inside it, lies in it. Pure.
 */

import type { Layout, Placed } from "./graph_layout";
import type { Graph, ModuleRow } from "./state";

/** The nodes inside a module, and the groups inside that. */
export interface Group {
  /** Of the tree. */
  row: number;
  /** Numbers of nodes, those of the groups inside included. */
  nodes: readonly number[];
  inside: readonly Group[];
}

export interface Frame {
  row: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Above the boxes stands the name, in a line of this height. */
export const HEAD = 14;
/** Round the boxes, and round the frames inside. */
const ROOM = 6;
/** So many frames may stand in one another: more would be lines only. */
const LEVELS = 2;

/** They are never called: no modules of the data flow. */
const LISTS: readonly string[] = ["ModuleList", "ModuleDict"];

/** The groups of a graph, the innermost first. */
export function groupsOf(graph: Graph, rows: readonly ModuleRow[]): Group[] {
  const members = new Map<number, number[]>();
  graph.nodes.forEach(({ layer, parent }, node) => {
    const own = rows[layer];
    let row = own === undefined ? parent : own.parent;
    for (; rows[row] !== undefined; row = rows[row]?.parent ?? -1) {
      const known = members.get(row);
      if (known === undefined) members.set(row, [node]);
      else known.push(node);
    }
  });
  const groups: (Group & { level: number })[] = [];
  // Rows come in order of definition: what is inside stands behind.
  for (const row of [...members.keys()].sort((a, b) => b - a)) {
    const nodes = members.get(row) ?? [];
    const isInside = (inner: number): boolean => {
      for (let at = rows[inner]?.parent ?? -1; at >= 0; at = rows[at]?.parent ?? -1) {
        if (at === row) return true;
      }
      return false;
    };
    const inside = groups.filter((group) => isInside(group.row));
    // One frame is enough for the same boxes.
    const same = inside.some((group) => group.nodes.length === nodes.length);
    const level = 1 + Math.max(0, ...inside.map((group) => group.level));
    if (nodes.length < 2 || same || level > LEVELS || LISTS.includes(rows[row]?.type ?? "")) {
      continue;
    }
    groups.push({ row, nodes, inside, level });
  }
  return groups;
}

/**
 * Room that the names of frames need above each box.
 *
 * @param layers of the nodes, from top to bottom
 */
export function headRoom(groups: readonly Group[], layers: readonly number[]): number[] {
  const heads: number[] = [];
  const first = new Map<Group, number>();
  for (const group of groups) {
    const top = Math.min(...group.nodes.map((node) => layers[node] as number));
    first.set(group, top);
    const below = group.inside.filter((inner) => first.get(inner) === top).length > 0 ? 2 : 1;
    heads[top] = Math.max(heads[top] ?? 0, below * HEAD);
  }
  return heads;
}

/** The frames that can be drawn, those that stand round others before them. */
export function framesOf(groups: readonly Group[], { nodes }: Layout): Frame[] {
  const found = new Map<Group, Frame>();
  const all = nodes.map(boxFrame);
  for (const group of groups) {
    const boxes = group.nodes.flatMap((node): Placed[] => [nodes[node]].filter(isThere));
    const inner = group.inside.flatMap((one): Frame[] => [found.get(one)].filter(isThere));
    const frame = {
      row: group.row,
      left: Math.min(...boxes.map(leftOf), ...inner.map(({ left }) => left)) - ROOM,
      top: Math.min(...boxes.map(topOf), ...inner.map(({ top }) => top)) - HEAD,
      right: Math.max(...boxes.map(rightOf), ...inner.map(({ right }) => right)) + ROOM,
      bottom: Math.max(...boxes.map(bottomOf), ...inner.map(({ bottom }) => bottom)) + ROOM,
    };
    const own = new Set(group.nodes);
    const strange = all.some((box, node) => meets(frame, box) && !own.has(node));
    const crossed = [...found].some(
      ([other, drawn]) => meets(frame, drawn) && !group.inside.includes(other),
    );
    if (!strange && !crossed) found.set(group, frame);
  }
  return [...found.values()].reverse();
}

const isThere = <T>(item: T | undefined): item is T => item !== undefined;
const leftOf = (box: Placed) => box.x - box.width / 2;
const rightOf = (box: Placed) => box.x + box.width / 2;
const topOf = (box: Placed) => box.y - box.height / 2;
const bottomOf = (box: Placed) => box.y + box.height / 2;
const boxFrame = (box: Placed): Omit<Frame, "row"> => ({
  left: leftOf(box),
  top: topOf(box),
  right: rightOf(box),
  bottom: bottomOf(box),
});

const meets = (a: Omit<Frame, "row">, b: Omit<Frame, "row">): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
