import type { FindingStatus, Severity } from '../api/scan-report.ts';
import type { OutputFormat } from './output/write-document.ts';

/** What `options.ts` parses the command line to; durations in milliseconds, quantities in bytes. */

export interface RuntimeOptions {
  readonly runtimeEndpoint?: string;
  readonly output: OutputFormat;
}

export interface ScannerOptions {
  readonly trivy: string;
  readonly trivyCacheDir?: string;
  readonly skipDbUpdate: boolean;
  readonly dbRepository?: string;
  readonly scanMemory?: number;
  readonly timeoutPerImage: number;
  readonly timeoutTotal: number;
  readonly concurrency?: number;
}

export interface PolicyOptions {
  readonly severity: readonly Severity[];
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

export interface PlanOptions extends RuntimeOptions, ScannerOptions, PolicyOptions, SelectionOptions {}

export interface CleanOptions extends PlanOptions {
  readonly dryRun: boolean;
  readonly yes: boolean;
}
