/** The network in the page of the decision boundary, held against differences and closed forms. */

import { describe, expect, it } from "vitest";
import { askAll, entropies, labelsOf, measure, paint } from "../../demo/fake_boundary_answers";
import { directionOf, landscapeRow } from "../../demo/fake_boundary_landscape";
import { Net, normal } from "../../demo/fake_boundary_net";
import { World } from "../../demo/fake_boundary_world";
import { randomFrom } from "../../demo/run";

const random = randomFrom(1);
const INPUTS = Float64Array.from({ length: 3 * 8 }, () => normal(random));

describe("a network", () => {
  it.each([
    ["classes", [2, 0, 1, 1, 3, 0, 2, 3]],
    ["values", [0.3, -1, 2, 0.1, 0, -0.4, 1, 0.7]],
  ] as const)("of %s has the slopes that differences of its loss have", (task, targets) => {
    const net = new Net([3, 5, 4, task === "classes" ? 4 : 1], task, 2);
    const slopes = Float64Array.from(net.gradient(INPUTS, targets));
    const half = 1e-5;
    slopes.forEach((slope, at) => {
      const [above, below] = [half, -half].map((by) => {
        const theta = net.theta.slice();
        theta[at] = (theta[at] as number) + by;
        return net.loss(INPUTS, targets, theta);
      }) as [number, number];
      expect(slope).toBeCloseTo((above - below) / (2 * half), 7);
    });
  });

  it("says probabilities, and what its hidden units say lies between −1 and 1", () => {
    const net = new Net([3, 5, 4, 3], "classes", 2);
    const said = net.answer(INPUTS);
    for (let row = 0; row < 8; row++) {
      const shares = said.subarray(3 * row, 3 * row + 3);
      expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 12);
      expect(Math.min(...shares)).toBeGreaterThan(0);
    }
    const hidden = net.hidden(INPUTS, 1);
    expect(hidden).toHaveLength(4 * 8);
    expect(Math.max(...hidden.map(Math.abs))).toBeLessThan(1);
  });

  it.each(["moons", "spirals", "three", "four", "ten"] as const)("learns %s", (data) => {
    const world = new World({ data, trained: 600 });
    const all = world.points.all;
    const { mean, outputs } = world.answers(Float64Array.from(all.flatMap(({ x }) => x)));
    const labels = labelsOf(mean, outputs);
    const right = all.filter(({ y }, at) => labels[at] === y).length / all.length;
    expect(right).toBeGreaterThan(0.9);
  });

  it("is the same for the same data", () => {
    const [one, other] = [new World({ trained: 30 }), new World({ trained: 30 })];
    expect(one.net.theta).toEqual(other.net.theta);
    expect(one.members[1]?.theta).not.toEqual(one.net.theta);
  });
});

describe("several networks together", () => {
  const nets = [1, 2, 3].map((seed) => new Net([3, 5, 4], "classes", seed));
  const net = nets[0] as Net;
  const thetas = nets.map(({ theta }) => theta);

  it("split the entropy into noise and what they disagree on", () => {
    const { mean, entropy, aleatoric, epistemic, members } = askAll(net, thetas, INPUTS);
    expect(members).toBe(3);
    const several = thetas.map((theta) => net.answer(INPUTS, theta));
    for (let row = 0; row < 8; row++) {
      const shares = (said: Float64Array) => Array.from(said.subarray(4 * row, 4 * row + 4));
      // The other way to say it: how far each member is from all of them together.
      const far = several.map((said) =>
        shares(said).reduce(
          (sum, share, k) => sum + share * Math.log(share / (shares(mean)[k] as number)),
          0,
        ),
      );
      const distance = far.reduce((sum, value) => sum + value) / 3;
      expect(epistemic?.[row]).toBeCloseTo(distance, 10);
      expect(entropy[row]).toBeCloseTo((aleatoric?.[row] ?? 0) + distance, 10);
    }
  });

  it("agree with themselves", () => {
    const { epistemic, spread } = askAll(net, [net.theta, net.theta], INPUTS);
    expect(Math.max(...(epistemic ?? [1]))).toBeLessThan(1e-12);
    expect(Math.max(...(spread ?? [1]))).toBeLessThan(1e-7);
    expect(askAll(net, [net.theta], INPUTS).epistemic).toBeNull();
  });

  it("have the variance of their values", () => {
    const values = [1, 2].map((seed) => new Net([3, 5, 1], "values", seed));
    const [one, other] = values as [Net, Net];
    const { mean, epistemic } = askAll(one, [one.theta, other.theta], INPUTS);
    const [a, b] = [one.answer(INPUTS)[3] as number, other.answer(INPUTS)[3] as number];
    expect(mean[3]).toBeCloseTo((a + b) / 2, 12);
    expect(epistemic?.[3]).toBeCloseTo(((a - b) / 2) ** 2, 12);
  });
});

describe("views", () => {
  const two = new Net([2, 2], "classes", 1);
  two.theta.set([1, 0, -1, 0, 0, 0]);
  // Logits x and −x: the first is as probable as 1 / (1 + exp(−2x)).
  const said = askAll(two, [two.theta], Float64Array.of(0, 0, 0.5, 0, -2, 0));
  const shares = [0, 0.5, -2].map((x) => 1 / (1 + Math.exp(-2 * x)));

  it("measure what they are called by", () => {
    expect(entropies(Float64Array.of(0.5, 0.5, 1, 0), 2)).toEqual(Float64Array.of(Math.LN2, 0));
    const values = (view: string, interest: number | null = null) =>
      Array.from(measure(said, view, interest).values);
    values("probability", 0).forEach((value, at) => {
      expect(value).toBeCloseTo(shares[at] as number, 12);
    });
    values("probability").forEach((value, at) => {
      expect(value).toBeCloseTo(Math.max(shares[at] as number, 1 - (shares[at] as number)), 12);
    });
    values("margin").forEach((value, at) => {
      expect(value).toBeCloseTo(Math.abs(2 * (shares[at] as number) - 1), 12);
    });
    expect(values("entropy")[0]).toBeCloseTo(Math.LN2, 12);
  });

  it("are painted between stated ends", () => {
    const painted = paint(said, "probability", null);
    expect([painted.low, painted.high, painted.palette]).toEqual([0.5, 1, "classes"]);
    expect(painted.value?.[0]).toBe(0);
    expect(painted.label).toEqual(Uint8Array.of(0, 0, 1));
    expect(paint(said, "label", null).value).toBeNull();
    const { value } = paint(said, "entropy", null);
    expect(value?.[0]).toBe(250);
  });
});

describe("the landscape of the loss", () => {
  const net = new Net([3, 5, 4], "classes", 3);
  const targets = [2, 0, 1, 1, 3, 0, 2, 3];

  it("has directions as long as the weights of each unit", () => {
    const direction = directionOf(net, 4);
    for (const { inputs, units, weights, biases } of net.layers) {
      for (let unit = 0; unit < units; unit++) {
        const part = (of: Float64Array) =>
          Math.hypot(...of.subarray(weights + unit * inputs, weights + (unit + 1) * inputs));
        expect(part(direction)).toBeCloseTo(part(net.theta), 10);
      }
      expect(Math.max(...direction.subarray(biases, biases + units))).toBe(0);
    }
  });

  it("has the loss of the weights themselves in its middle", () => {
    const directions = [directionOf(net, 4), directionOf(net, 5)] as const;
    const loss = (theta: Float64Array) => net.loss(INPUTS, targets, theta);
    const [left, middle, right] = landscapeRow(net.theta, directions, [-1, 0, 1], 0, loss);
    expect(middle).toBe(net.loss(INPUTS, targets));
    const moved = net.theta.map((value, i) => value + (directions[0][i] as number));
    expect(right).toBe(loss(moved));
    expect(left).not.toBe(right);
  });
});
