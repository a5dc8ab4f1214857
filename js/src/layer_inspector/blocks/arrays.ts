/** Small sums over arrays of any kind. */

/** The sum of the finite values. */
export function columnSum(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (Number.isFinite(value)) sum += value;
  }
  return sum;
}
