import type { UnscannedReason } from '../api/scan-report.ts';
import type { ScannerFaultCode } from './scanner-fault.ts';

/** What a failed `trivy image` means. */
export type TrivyFailure =
  | { readonly kind: 'unscanned'; readonly reason: UnscannedReason; readonly message: string }
  | { readonly kind: 'unparsable'; readonly error: string }
  /** The runtime has no image of this name: the next name may do. */
  | { readonly kind: 'no-such-name'; readonly message: string }
  /** The image holds Java archives and there is no Java index. */
  | { readonly kind: 'no-java-index'; readonly message: string }
  /** Trivy panicked: of itself or because of this image, the failure alone does not tell. */
  | { readonly kind: 'crashed'; readonly message: string }
  | { readonly kind: 'fault'; readonly code: ScannerFaultCode; readonly message: string };

type Rule = readonly [pattern: RegExp, failure: (message: string) => TrivyFailure];

const unscanned =
  (reason: UnscannedReason) =>
  (message: string): TrivyFailure => ({ kind: 'unscanned', reason, message });
const fault =
  (code: ScannerFaultCode) =>
  (message: string): TrivyFailure => ({ kind: 'fault', code, message });
const unparsable = (error: string): TrivyFailure => ({ kind: 'unparsable', error });

const INIT = '^run error: init error: ';
const CONTAINERD = '^run error: image scan error: .*?\\* containerd error: ';
const SCAN = '^run error: image scan error: scan error: scan failed: ';
const LAYER = `${SCAN}failed analysis: analyze error: pipeline error: failed to analyze layer \\(sha256:[0-9a-f]{64}\\): `;

/**
 * What Trivy 0.74 says last, each line provoked on the real one. The first that matches holds: what is scarce on the machine explains any
 * other failure, so it comes first. Faults are anchored at the beginning, which no file name in an image can imitate.
 */
const RULES: readonly Rule[] = [
  [/no space left on device|disk quota exceeded/, unscanned('disk-full')],
  [/cannot allocate memory|out of memory/, unscanned('out-of-memory')],
  [new RegExp(`${INIT}DB error: database error: --skip-db-update cannot be specified on the first run`), fault('no-database')],
  [new RegExp(`${INIT}DB error: `), fault('bad-database')],
  // A server's.
  [/^(?:database error: |error in vulnerability DB initialize: )/, fault('bad-database')],
  [new RegExp(INIT), fault('start-failed')],
  [/^unknown (?:shorthand )?(?:flag|command)/, fault('unsupported-version')],
  [new RegExp(`${SCAN}.*?failed to detect vulnerabilities: .*?advisories`, 's'), fault('bad-database')],
  [new RegExp(`${CONTAINERD}containerd socket not found`, 's'), fault('runtime-unreachable')],
  [new RegExp(`${CONTAINERD}.*?(?:connection error: |code = Unavailable|permission denied)`, 's'), fault('runtime-unreachable')],
  [new RegExp(`${CONTAINERD}failed to create a temporary file`, 's'), fault('no-work-directory')],
  [
    new RegExp(`${LAYER}unable to get uncompressed layer .*?failed to copy the image: .*?code = Unavailable`, 's'),
    fault('runtime-unreachable'),
  ],
  // A deadline is Trivy's own or that of one call to containerd: busy, not away.
  [/context deadline exceeded|code = DeadlineExceeded/, unscanned('timeout')],
  // Trivy takes SIGTERM for the wish to end in order.
  [/context canceled|code = Canceled/, unscanned('killed')],
  [new RegExp(`${CONTAINERD}image not found in containerd store`, 's'), (message) => ({ kind: 'no-such-name', message })],
  [new RegExp(`${CONTAINERD}(?:parse error: |failed to parse image reference)`, 's'), (message) => ({ kind: 'no-such-name', message })],
  [/unable to initialize container image: failed to parse the image name/, (message) => ({ kind: 'no-such-name', message })],
  [new RegExp(`${CONTAINERD}inspect error: .*?not found`, 's'), unscanned('content-missing')],
  // The store's own copy does not match its digest: damage on this node, which says nothing about the image.
  [new RegExp(`${LAYER}unable to get uncompressed layer .*?unexpected digest`, 's'), unscanned('content-missing')],
  [new RegExp(`${LAYER}unable to get uncompressed layer .*?(?:not found|code = NotFound)`, 's'), unscanned('content-missing')],
  [new RegExp(`${LAYER}post analysis error: .*Unable to initialize the Java DB`, 's'), (message) => ({ kind: 'no-java-index', message })],
  [new RegExp(`${LAYER}walk error: failed to extract the archive: (?:archive/tar|unexpected EOF|flate|gzip|zlib|zstd|bzip2)`), unparsable],
];

/** What Trivy puts before every such message, which tells a reader nothing. */
const LEAD =
  /^run error: (?:init error: |image scan error: scan error: (?:scan failed: (?:failed analysis: analyze error: pipeline error: )?|unable to initialize a scan service: .*?\* (?=containerd error: ))?)/s;

/** Classifies the end of a `trivy image` that exited with a code other than 0. */
export function classifyTrivyFailure(stderr: string): TrivyFailure {
  const panic = panicOf(stderr);
  if (panic !== null) return panic;
  const message = fatalMessageOf(stderr);
  const [, failure = unscanned('scan-failed')] = RULES.find(([pattern]) => pattern.test(message)) ?? [];
  return failure(message.replace(LEAD, ''));
}

/** The longest message that is kept, in characters: Trivy's chains of errors are some hundreds. */
const MAX_MESSAGE_CHARACTERS = 2_000;

/**
 * The message of Trivy's last line, `<time>\tFATAL\tFatal error\t<message>`, without what differs from run to run (the time, temporary
 * folders), so that two attempts can be compared.
 */
export function fatalMessageOf(stderr: string): string {
  const fatal = /^\S+\tFATAL\t(?:Fatal error|Error)\t(.*)$/ms.exec(stderr)?.[1] ?? stderr;
  const message = fatal.replaceAll(/\S*\/trivy-\d+\//g, '').replaceAll(/(containerd-export-|image-layers-)\d+/g, '$1*');
  const text = message.trim().slice(0, MAX_MESSAGE_CHARACTERS);
  return text === '' ? 'Trivy failed and said nothing.' : text;
}

/** Whether a server's refusal of one call tells that it cannot read what its database says of a package. */
export function namesBadAdvisories(message: string): boolean {
  return /failed to detect vulnerabilities: .*?advisories/s.test(message);
}

/** Whether what a Trivy wrote tells of a panic in the library that reads the database. */
export function isBoltPanic(stderr: string): boolean {
  return /^goroutine \d+ /m.test(stderr) && /^go\.etcd\.io\/bbolt/m.test(stderr);
}

/** Go's own end: `panic: …` or `fatal error: …`, then stacks. What Trivy itself says last may quote anything out of an image. */
function panicOf(stderr: string): TrivyFailure | null {
  if (stderr.includes('\tFATAL\t')) return null;
  const message = /^(?:panic|fatal error|runtime): .*$/m.exec(stderr)?.[0];
  if (message === undefined || !/^(?:goroutine \d+ |runtime stack:)/m.test(stderr)) return null;
  const says = `Trivy crashed: ${message}`;
  if (/out of memory|cannot allocate memory|failed to reserve page summary memory/.test(message))
    return { kind: 'unscanned', reason: 'out-of-memory', message: says };
  if (isBoltPanic(stderr)) return { kind: 'fault', code: 'bad-database', message: says };
  return { kind: 'crashed', message: says };
}
