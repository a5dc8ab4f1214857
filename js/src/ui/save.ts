/** Files for the person in front of the browser. */

import type { Unpacked } from "../wire";

export interface NamedFile {
  name: string;
  content: Blob;
}

/** The file in a reply to `export`. */
export function fileOf(packed: Unpacked | null): NamedFile {
  const bytes = packed?.arrays.file;
  const { name, mime } = packed?.meta ?? {};
  if (!(bytes instanceof Uint8Array) || typeof name !== "string") {
    throw new Error("the reply holds no file");
  }
  const type = typeof mime === "string" ? mime : "application/octet-stream";
  return { name, content: new Blob([bytes.slice()], { type }) };
}

/** Hands a file over. */
export function saveFile(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.hidden = true;
  // Inside JupyterLab a link outside the document is not followed.
  document.body.append(link);
  link.click();
  link.remove();
  // The download has its own hold on the data by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
