import * as z from 'zod';

const planSchema = z.object({
  decisions: z.array(z.object({ repoTags: z.array(z.string()), reason: z.looseObject({ code: z.string() }) })),
});

export interface ExpectedPlan {
  readonly names: readonly string[];
  /** All of the benchmarks' images are `vulnerable`, and `compliant` where only critical vulnerabilities count. */
  readonly as: 'vulnerable' | 'compliant';
}

/** Throws unless `clean -o json` has judged each of these images so: a scan that failed is quick. */
export function assertAllJudged(
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  { names, as }: ExpectedPlan,
): void {
  const { decisions } = planSchema.parse(JSON.parse(stdout));
  const judged = new Set(decisions.filter(({ reason }) => reason.code === as).flatMap(({ repoTags }) => repoTags));
  const missing = names.filter((name) => !judged.has(name));
  if (missing.length > 0) throw new Error(`${String(missing.length)} images are not ${as}, such as ${missing[0] ?? ''}:\n${stderr}`);
}

/** Throws when the command has scanned an image: it says so on standard error. */
export function assertNothingScanned({ stderr }: { readonly stderr: string }): void {
  if (/^Scanning /m.test(stderr)) throw new Error(`images were scanned that are known:\n${stderr}`);
}
