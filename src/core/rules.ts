import type { KeepReason, RemoveReason } from '../api/decision.ts';
import type { NodeImage } from '../api/inventory.ts';
import type { Finding, ForeignVerdict, ScanResult } from '../api/scan-report.ts';
import { expiredReason, tooYoungReason } from './image-age.ts';
import type { PlanFacts } from './plan-facts.ts';
import { sameImageId } from './reference.ts';
import { pinnedReason } from './sandbox-image.ts';
import { endOfLifeOs } from './verdict.ts';

export type Ruling =
  { readonly outcome: 'keep'; readonly reason: KeepReason } | { readonly outcome: 'remove'; readonly reason: RemoveReason };

/** One rule of the decision chain: null when it does not apply to the image. */
export interface Rule {
  readonly number: number;
  /** What holds of an image that the rule lets pass, for `explain`. */
  readonly passed: string;
  readonly decide: (image: NodeImage, facts: PlanFacts) => Ruling | null;
}

const keep = (reason: KeepReason | null): Ruling | null => (reason === null ? null : { outcome: 'keep', reason });
const remove = (reason: RemoveReason | null): Ruling | null => (reason === null ? null : { outcome: 'remove', reason });

/** Rules 1 to 3: whatever else holds, an image that they keep stays. They are asked again immediately before each removal. */
export const SAFETY_RULES: readonly Rule[] = [
  {
    number: 1,
    passed: 'no container in any state uses it, and no pod is about to',
    decide: (image, { use }) => {
      const users = use.usersByImage.get(image.id);
      return users === undefined ? null : keep({ code: 'in-use', users });
    },
  },
  {
    number: 2,
    passed: 'the runtime has not pinned it, and it is not the sandbox image',
    decide: (image, { sandboxImages }) => keep(pinnedReason(image, sandboxImages)),
  },
  {
    number: 3,
    passed: 'no exclusion matches it',
    decide: (image, { input }) => {
      const match = input.exclusions.match(image);
      return match === null ? null : keep({ code: 'excluded', list: match.list, entry: match.entry });
    },
  },
];

/** Rules 4 to 7: a list, objects that will want the image again, and age. */
export const SELECTION_RULES: readonly Rule[] = [
  {
    number: 4,
    passed: 'the run has no list of images',
    decide: (image, { input: { imageList } }) => {
      if (imageList === null) return null;
      const entry = imageList.match(image);
      return entry === null ? keep({ code: 'not-listed' }) : remove({ code: 'listed', entry });
    },
  },
  {
    number: 5,
    passed: 'no workload refers to it',
    decide: (image, { protectionsByImage }) => {
      const objects = protectionsByImage.get(image.id);
      return objects === undefined ? null : keep({ code: 'protected', objects });
    },
  },
  {
    number: 6,
    passed: 'it is not younger than the least age',
    decide: (image, { input }) => keep(tooYoungReason(input.histories.get(image.id), input.minAgeMs, input.now)),
  },
  {
    number: 7,
    passed: 'it is not known to be unused for longer than the greatest age',
    decide: (image, { input }) => remove(expiredReason(input.histories.get(image.id), input.maxAgeMs, input.now)),
  },
];

/** Rule 8 looks at all images at once (`selectForDiskPressure`); the rule itself only looks up what was selected. */
export function diskPressureRule(selected: ReadonlySet<string>): Rule {
  return {
    number: 8,
    passed: 'the disk does not need its space',
    decide: (image, { input: { diskThresholds } }) =>
      diskThresholds === null || !selected.has(image.id) ? null : remove({ code: 'disk-pressure', ...diskThresholds }),
  };
}

/** Rules 9 to 12: the verdict, or its absence. The last one always applies. */
export const VERDICT_RULES: readonly Rule[] = [
  {
    number: 9,
    passed: 'it has a verdict, or the scanner is off',
    decide: (image, { input: { scan } }) => {
      if (scan === null) return null;
      const result = acceptedResult(image, scan.results.get(image.id));
      if (result.kind === 'unscanned') return keep({ code: 'unscanned', why: result.reason, message: result.message });
      const keptUnscannable = result.kind === 'unscannable' && !scan.policy.removeUnscannable;
      return keptUnscannable ? keep({ code: 'unscanned', why: 'unscannable', message: result.error }) : null;
    },
  },
  { number: 10, passed: 'the scan found nothing that the policy removes it for, or the scanner is off', decide: verdictRuling },
  {
    number: 11,
    passed: 'the scanner, an age or a disk threshold decides',
    decide: (_image, { input }) =>
      input.scan === null && input.maxAgeMs === null && input.diskThresholds === null ? remove({ code: 'unused' }) : null,
  },
  {
    number: 12,
    passed: 'never: this rule always applies',
    decide: (image, { input: { scan } }) => {
      const result = scan?.results.get(image.id);
      // Rule 10 has let it pass: whatever the scan found, the policy leaves out.
      return keep({ code: 'compliant', ignoredFindings: result?.kind === 'scanned' ? result.report.findings.length : null });
    },
  },
];

function verdictRuling(image: NodeImage, { input: { scan }, policy }: PlanFacts): Ruling | null {
  const result = scan?.results.get(image.id);
  if (scan === null || policy === null || result === undefined) return null;
  if (result.kind === 'judged') return result.verdict === 'accepted' ? null : remove({ code: result.verdict });
  if (result.kind === 'unscannable') return remove({ code: 'unscannable', error: result.error });
  if (result.kind !== 'scanned') return null;
  const { report } = result;
  if (policy.isVulnerable(report)) return remove(vulnerable(() => policy.countedFindings(report)));
  const os = endOfLifeOs(report);
  return os !== null && scan.policy.removeEndOfLife ? remove({ code: 'end-of-life', os }) : null;
}

/** The findings are gathered when they are first read: a plan is made up to three times, and only the last is looked at. */
function vulnerable(gather: () => readonly Finding[]): RemoveReason {
  let gathered: readonly Finding[] | null = null;
  return {
    code: 'vulnerable',
    get findings() {
      return (gathered ??= gather());
    },
  };
}

/** A report counts only for the image that it says it is of: a tag may have moved while the scanner read it. */
function acceptedResult(image: NodeImage, result: ScanResult | ForeignVerdict | undefined): ScanResult | ForeignVerdict {
  if (result === undefined) return { kind: 'unscanned', reason: 'not-scanned', message: 'the image was not scanned' };
  if (result.kind !== 'scanned' || sameImageId(result.report.imageId, image.id)) return result;
  return { kind: 'unscanned', reason: 'report-for-another-image', message: `the report is for ${result.report.imageId}` };
}
