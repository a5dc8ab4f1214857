export interface Part {
  keep: string[];
  leave: string[];
  foreign: string[];
}

export const KEYS: Record<
  "training_monitor" | "layer_inspector" | "saliency_viewer" | "decision_boundary" | "offline",
  Part
>;

export function kept(
  catalogue: Readonly<Record<string, string>>,
  entry: keyof typeof KEYS,
  language: string,
): Record<string, string>;

export function translated(
  english: Readonly<Record<string, string>>,
  translation: Readonly<Record<string, string>>,
): string;
