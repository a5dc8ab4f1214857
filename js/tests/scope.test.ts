import { describe, expect, it } from "vitest";
import { scoped } from "../scope.mjs";

/** Without line breaks and doubled spaces, which mean nothing. */
const flat = (css: string): string => css.replace(/\s+/g, " ").trim();
const bound = (css: string): string => flat(scoped(css, "nnw-a"));

describe("scoped", () => {
  it("binds what stands below the root", () => {
    expect(bound(".nnw-b > i { color: red }")).toBe(".nnw-a .nnw-b > i { color: red }");
    expect(bound("button.nnw-b{}")).toBe(".nnw-a button.nnw-b {}");
  });

  it("binds the root itself, by either of its classes", () => {
    expect(bound(".nnw { --x: 1 }")).toBe(".nnw.nnw-a { --x: 1 }");
    expect(bound(".nnw[data-theme='x'] .b {}")).toBe(".nnw.nnw-a[data-theme='x'] .b {}");
    expect(bound(".nnw-a .b {}")).toBe(".nnw-a.nnw .b {}");
    expect(bound(":where(.nnw) :where(p, ul) {}")).toBe(":where(.nnw.nnw-a) :where(p, ul) {}");
  });

  it("binds each selector of a list, commas in brackets and strings left alone", () => {
    expect(bound('.b:is(i, u), .c[title="a,{b}"] {}')).toBe(
      '.nnw-a .b:is(i, u), .nnw-a .c[title="a,{b}"] {}',
    );
  });

  it("goes into groups, and leaves other blocks and comments as they are", () => {
    expect(bound("/* .x { */ @media (min-width: 1px) { .b { c: d } .e {} } .f {}")).toBe(
      "/* .x { */ @media (min-width: 1px) { .nnw-a .b { c: d } .nnw-a .e {} } .nnw-a .f {}",
    );
    expect(bound("@keyframes k { from { a: b } to { a: c } } .b {}")).toBe(
      "@keyframes k { from { a: b } to { a: c } } .nnw-a .b {}",
    );
    expect(bound('@import "x.css"; .b {}')).toBe('@import "x.css"; .nnw-a .b {}');
  });

  it("leaves rules within rules to their rule", () => {
    expect(bound(".b { &:hover { c: d } .e { f: g } } .h {}")).toBe(
      ".nnw-a .b { &:hover { c: d } .e { f: g } } .nnw-a .h {}",
    );
  });
});
