import type { EraserConfig } from '../api/eraser-config.ts';
import type { FindingStatus, PackageClass, Severity } from '../api/scan-report.ts';
import type { DiskLimit } from '../core/disk-pressure.ts';
import type { OutputFormat } from './output/write-document.ts';

/** What `options.ts` parses the command line to; durations in milliseconds, quantities in bytes. */

export interface RuntimeOptions {
  readonly runtimeEndpoint?: string;
  readonly config?: string;
  /** What the file of `config` says; for the options that the command line does not give, it is in these already. */
  readonly eraserConfig?: EraserConfig;
  /** What is in the file to no effect. */
  readonly configWarnings?: readonly string[];
  readonly output: OutputFormat;
}

export interface ScannerOptions {
  readonly trivy: string;
  readonly trivyCacheDir?: string;
  readonly skipDbUpdate: boolean;
  readonly dbRepository?: string;
  readonly trivyServer?: string;
  readonly trivyTokenFile?: string;
  readonly trivyCa?: string;
  readonly scanMemory?: number;
  readonly timeoutPerImage: number;
  readonly timeoutTotal: number;
  readonly concurrency?: number;
}

export interface PolicyOptions {
  readonly severity: readonly Severity[];
  readonly pkgTypes: readonly PackageClass[];
  readonly ignoreUnfixed: boolean;
  readonly ignoreStatus: readonly FindingStatus[];
  readonly ignorefile?: string;
  readonly keepEndOfLife: boolean;
  readonly keepUnscannable: boolean;
}

export interface SelectionOptions {
  readonly scanner: 'trivy' | 'none';
  readonly exclude: readonly string[];
  readonly excludeFile: readonly string[];
  readonly image: readonly string[];
}

/** With its text, for messages. */
export type GivenDiskLimit = DiskLimit & { readonly given: string };

export interface AgeOptions {
  /** 0: no least age. */
  readonly minAge: number;
  readonly maxAge?: number;
  readonly diskHigh?: GivenDiskLimit;
  readonly diskLow?: GivenDiskLimit;
}

export interface HistoryOptions {
  /** A path; false: none is kept. */
  readonly history?: string | false;
}

/** A point in time: itself, or how long ago it was, in milliseconds. */
export interface TimeBound {
  readonly at?: number;
  readonly ago?: number;
}

export interface HistoryCommandOptions extends HistoryOptions {
  readonly historyPasswordFile?: string;
  readonly output: OutputFormat;
  readonly image?: string;
  readonly since?: TimeBound;
  readonly until?: TimeBound;
  readonly limit?: number;
  readonly node?: string;
  readonly jobs?: boolean;
  readonly job?: string;
  readonly logs?: boolean;
  readonly verdicts?: boolean;
  /** A node. */
  readonly revoke?: string;
}

export interface RecordOptions extends HistoryOptions {
  readonly historyMaxAge: number;
  readonly historyMaxSize: number;
  readonly auditLog?: string;
}

export interface ScanOptions extends RuntimeOptions, ScannerOptions, PolicyOptions, HistoryOptions {}

export interface PlanOptions extends RuntimeOptions, ScannerOptions, PolicyOptions, SelectionOptions, AgeOptions, HistoryOptions {}

export interface CleanOptions extends PlanOptions, RecordOptions {
  readonly dryRun: boolean;
  readonly yes: boolean;
  /** An interval or a cron expression; one run if not given. true: as the configuration says it. */
  readonly schedule?: string | true;
  readonly timeZone?: string;
  readonly beginImmediately?: boolean;
}

/** What `clean` would end with, `doctor` shows beside all else. */
export interface DoctorOptions extends CleanOptions {
  /** Why `clean` would not do anything by the file of `config`. */
  readonly configFault?: Error;
}
