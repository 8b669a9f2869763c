import type { Measurement, VariantResult } from './figure.ts';

export interface Variant {
  readonly name: string;
  /** One run of it. */
  readonly run: () => Promise<Measurement>;
}

/** The variants in turn, in every other round in the other order: what else the machine does then meets them alike. */
export async function interleave(variants: readonly [Variant, Variant], rounds: number): Promise<readonly [VariantResult, VariantResult]> {
  const [first, second] = variants.map(({ name }) => ({ name, measurements: [] as Measurement[] })) as [Growing, Growing];
  for (let round = 0; round < rounds; round += 1) {
    for (const at of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      (at === 0 ? first : second).measurements.push(await variants[at].run());
    }
  }
  return [first, second];
}

interface Growing extends VariantResult {
  readonly measurements: Measurement[];
}

/** A figure of each round out of the two measurements of that round. */
export function pairwise(
  [a, b]: readonly [VariantResult, VariantResult],
  compare: (a: Measurement, b: Measurement) => number,
): readonly number[] {
  return a.measurements.flatMap((measurement, round) => {
    const other = b.measurements[round];
    return other === undefined ? [] : [compare(measurement, other)];
  });
}

export const wallRatio = (a: Measurement, b: Measurement): number => a.wallMs / b.wallMs;
export const wallDifferenceMs = (a: Measurement, b: Measurement): number => a.wallMs - b.wallMs;
