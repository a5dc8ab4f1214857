/** Small readers of what a trait's words hold; forgiving of what is missing or of another kind. */

import type { Json, JsonObject, Unpacked } from "./wire";

export const object = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};

export const list = (value: Json | undefined): JsonObject[] =>
  Array.isArray(value) ? value.map(object) : [];

export const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");

export const number = (value: Json | undefined): number | null =>
  typeof value === "number" ? value : null;

export function strings(value: Json | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(object(value)).map(([key, item]) => [key, String(item)]),
  );
}

/** Reads a trait once per value: drawing code may compare what it gets by identity. */
export function reader<T>(
  read: (unpacked: Unpacked) => T,
): (unpacked: Unpacked | null) => T | null {
  let seen: Unpacked | null = null;
  let value: T | null = null;
  return (unpacked) => {
    if (unpacked !== seen) {
      seen = unpacked;
      value = unpacked === null ? null : read(unpacked);
    }
    return value;
  };
}
