/** Ordered from the most to the least severe. */
export const SEVERITIES = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'UNKNOWN'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What the vendor says of a vulnerability in its package (Trivy's `Status`). */
export const FINDING_STATUSES = [
  'unknown',
  'not_affected',
  'affected',
  'fixed',
  'under_investigation',
  'will_not_fix',
  'fix_deferred',
  'end_of_life',
] as const;
export type FindingStatus = (typeof FINDING_STATUSES)[number];

/** `os`: a package of the distribution; `library`: one of a language (npm, Go module, wheel …). */
export const PACKAGE_CLASSES = ['os', 'library'] as const;
export type PackageClass = (typeof PACKAGE_CLASSES)[number];

export interface Finding {
  /** `CVE-2024-3094`, or an advisory id of another kind, such as `GHSA-…`. */
  readonly id: string;
  readonly packageName: string;
  readonly packageClass: PackageClass;
  readonly installedVersion: string;
  /** null: no fixed version is known. */
  readonly fixedVersion: string | null;
  readonly severity: Severity;
  readonly status: FindingStatus;
}

/** All that a scanner found in one image, whatever its severity: the policy is applied afterwards. */
export interface ScanReport {
  /** The image id that the scanner itself read, in the form `sha256:…`. */
  readonly imageId: string;
  readonly scanner: ScannerInfo;
  /** null: no operating system was recognised in the image. */
  readonly os: { readonly family: string; readonly name: string; readonly endOfLife: boolean } | null;
  readonly findings: readonly Finding[];
}

export interface ScannerInfo {
  /** `trivy`. */
  readonly name: string;
  readonly version: string;
  /** When the vulnerability database was made, ISO 8601; null where the scanner does not tell. */
  readonly databaseUpdatedAt: string | null;
  /** Tells this database from any other, one of the same time included: its files, or the server that judges by it. null: it cannot be told. */
  readonly databaseMark: string | null;
}

/**
 * What a scanner read out of an image, kept so that it can judge the image by another vulnerability database without reading it again. Of use
 * only to the scanner that made it, in that version.
 */
export interface ImageAnalysis {
  /** As in the report. */
  readonly imageId: string;
  readonly scannerName: string;
  readonly scannerVersion: string;
  /** The pieces that it was made of, one for each layer or so; images that share a layer share its piece. */
  readonly parts: readonly AnalysisPart[];
  /** How the pieces make the image, in the scanner's own form. */
  readonly recipe: Uint8Array;
}

export interface AnalysisPart {
  /** Equal keys, equal content, for one version of a scanner. */
  readonly key: string;
  readonly data: Uint8Array;
}

/** Why there is no verdict on an image although the scanner itself works. */
export const UNSCANNED_REASONS = [
  'not-scanned',
  'content-missing',
  'no-scannable-name',
  'timeout',
  'total-timeout',
  'killed',
  'out-of-memory',
  'disk-full',
  'report-for-another-image',
  'unsupported-runtime',
  'scan-failed',
  /** Unscannable, and the policy keeps such images. */
  'unscannable',
] as const;
export type UnscannedReason = (typeof UNSCANNED_REASONS)[number];

/**
 * What one attempt to scan came to. `unparsable` becomes `unscannable` only when the content is complete and a second attempt fails alike, and
 * when `scannedName`, one of the target's names, still means that image: unlike a report, a failure does not say which image it is about.
 */
export type ScanAttempt =
  /** `analysis`: null where the scanner gives none to keep. */
  { readonly kind: 'scanned'; readonly report: ScanReport; readonly analysis: ImageAnalysis | null } | UnscannedAttempt | UnparsableAttempt;

export interface UnscannedAttempt {
  readonly kind: 'unscanned';
  readonly reason: UnscannedReason;
  readonly message: string;
}

export interface UnparsableAttempt {
  readonly kind: 'unparsable';
  readonly error: string;
  readonly scannedName: string;
}

/** The same where somebody else judges by what was read. */
export type ReadAttempt = { readonly kind: 'read'; readonly analysis: ImageAnalysis } | UnscannedAttempt | UnparsableAttempt;

/**
 * The result of scanning one image. `unscanned` says nothing about the image, which therefore stays; `unscannable` says that its content
 * is complete and could not be parsed, twice alike. A fault of the scanner itself is neither: it is thrown (`ScannerFault`).
 */
export type ScanResult =
  { readonly kind: 'scanned'; readonly report: ScanReport } | UnscannedAttempt | { readonly kind: 'unscannable'; readonly error: string };

/** Scan results by image id, in the runtime's own form of the id. */
export type ScanResults = ReadonlyMap<string, ScanResult>;

/**
 * Decided elsewhere, without a report that a policy could be applied to: by a scanner of the user's own (`rejected`, `accepted`), or, where the
 * scanner is off, by the program that has taken the inventory (`unused`).
 */
export interface ForeignVerdict {
  readonly kind: 'judged';
  readonly verdict: 'rejected' | 'accepted' | 'unused';
}

/** What a plan goes by, by image id in the runtime's own form. */
export type Verdicts = ReadonlyMap<string, ScanResult | ForeignVerdict>;
