import type { ImageUser, KeepReason, RemoveReason } from '../api/decision.ts';
import type { UnreadableReason } from '../api/run-record.ts';
import type { Finding } from '../api/scan-report.ts';

/** Formats of figures that the caller chooses: core formats no bytes and no durations itself. */
export interface FigureFormats {
  readonly bytes: (bytes: number) => string;
  readonly duration: (ms: number) => string;
}

/** Of a decision of now, or of one on record. */
export type AnyReason = KeepReason | RemoveReason | UnreadableReason;

/** One line that says why an image goes or stays. `mostFindings`: how many vulnerabilities it names before it counts the rest. */
export function formatReason({ reason }: { readonly reason: AnyReason }, formats: FigureFormats, mostFindings = 3): string {
  switch (reason.code) {
    case 'in-use':
      return `in use by ${formatSome(reason.users.map(formatUser), 1)}`;
    case 'pinned':
      return formatPinned(reason);
    case 'excluded':
      return `excluded by "${reason.entry}" (${reason.list})`;
    case 'not-listed':
      return 'not in the list of this run';
    case 'protected':
      return `needed by ${formatSome(
        reason.objects.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
        1,
      )}`;
    case 'too-young':
      return reason.ageMs === null
        ? `never seen before, and nothing younger than ${formats.duration(reason.minAgeMs)} goes`
        : `first seen ${formats.duration(reason.ageMs)} ago, younger than ${formats.duration(reason.minAgeMs)}`;
    case 'unscanned':
      return `no verdict (${reason.why}): ${reason.message}`;
    case 'compliant':
      return formatCompliant(reason);
    case 'listed':
      return `listed as "${reason.entry}"`;
    case 'expired':
      return `unused for ${formats.duration(reason.unusedMs)}, longer than ${formats.duration(reason.maxAgeMs)}`;
    case 'disk-pressure':
      return `disk use of ${formats.bytes(reason.usedBytes)} is over ${formats.bytes(reason.highBytes)}`;
    case 'vulnerable':
      return `vulnerable: ${formatSome(reason.findings.map(formatFinding), mostFindings)}`;
    case 'end-of-life':
      return `${reason.os} is past its end of life`;
    case 'unscannable':
      return `cannot be scanned: ${reason.error}`;
    case 'rejected':
      return 'the custom scanner wants it gone';
    case 'unused':
      return 'no container uses it';
    case 'unreadable':
      return `the reason on record (${reason.recordedCode}) cannot be read: a newer image-cleaner wrote it, or it is damaged`;
  }
}

function formatUser(user: ImageUser): string {
  if (user.kind === 'pending-pod') return `pod ${user.pod}, which is about to start`;
  const container = user.pod === '' ? user.container : `${user.pod}/${user.container}`;
  if (user.kind === 'unresolved-container') return `container ${container} (${user.state}), perhaps: its image is not on the node`;
  return `container ${container} (${user.state}${user.kind === 'volume' ? ', as a volume' : ''})`;
}

function formatPinned({ by }: KeepReason & { code: 'pinned' }): string {
  switch (by) {
    case 'runtime':
      return 'pinned by the runtime';
    case 'sandbox-image':
      return 'the sandbox (pause) image';
    case 'maybe-sandbox-image':
      return 'may be the sandbox (pause) image, which this runtime does not name';
  }
}

function formatCompliant({ ignoredFindings }: KeepReason & { code: 'compliant' }): string {
  if (ignoredFindings === null) return 'nothing asks for its removal';
  if (ignoredFindings === 0) return 'nothing was found in it';
  return `nothing was found in it that the policy counts (${String(ignoredFindings)} left out)`;
}

function formatFinding({ id, severity }: Finding): string {
  return `${id} (${severity})`;
}

function formatSome(texts: readonly string[], most: number): string {
  const distinct = [...new Set(texts)];
  const rest = distinct.length - most;
  const shown = distinct.slice(0, most).join(', ');
  return rest > 0 ? `${shown} and ${String(rest)} more` : shown;
}

/** The distinct vulnerability ids of a decision, in the order of its findings: most severe first. */
export function vulnerabilityIds(reason: AnyReason): string[] {
  return reason.code === 'vulnerable' ? [...new Set(reason.findings.map(({ id }) => id))] : [];
}
