import type { FindingStatus, PackageClass, Severity } from './scan-report.ts';

/**
 * Eraser's configuration, in the form of `eraser.sh/v1alpha3` with every default filled in; configurations of all versions are read into it.
 * Durations are in milliseconds, memory in bytes, CPU in processors.
 */
export interface EraserConfig {
  readonly manager: {
    readonly runtime: ConfiguredRuntime;
    /** Where OpenTelemetry metrics go; empty: nowhere. */
    readonly otlpEndpoint: string;
    readonly logLevel: LogLevel;
    readonly scheduling: {
      readonly repeatInterval: number;
      readonly beginImmediately: boolean;
      /** In the place of both above; null: none. Not checked yet, nor is the time zone. */
      readonly cron: string | null;
      /** Of the cron expressions. */
      readonly timeZone: string;
      /** null: automatic runs begin at any time. */
      readonly maintenanceWindow: { readonly opens: string; readonly length: number } | null;
    };
    readonly profile: { readonly enabled: boolean; readonly port: number };
    readonly imageJob: {
      /** From 0 to 1. */
      readonly successRatio: number;
      readonly cleanup: { readonly delayOnSuccess: number; readonly delayOnFailure: number };
      /** `20`, `"10%"`; null: not said. */
      readonly maxParallel: string | number | null;
      /** More of them make a run begin with no further nodes: `0`, `"5%"`; null: none do. */
      readonly maxFailed: string | number | null;
      /** `pause`: between the end of one wave and the next; 0: a sliding window. */
      readonly waves: { readonly pause: number };
      /** `within`: how long after an automatic run a node that was away is cleaned when it comes; 0: it waits for the next run. */
      readonly lateNodes: { readonly within: number };
    };
    /** Earlier revisions of each workload whose images stay. */
    readonly keptRevisions: number;
    readonly pullSecrets: readonly string[];
    readonly priorityClassName: string;
    readonly additionalPodLabels: Readonly<Record<string, string>>;
    /** The selectors always hold `eraser.sh/cleanup.filter`. */
    readonly nodeFilter: { readonly type: 'exclude' | 'include'; readonly selectors: readonly string[] };
  };
  readonly components: {
    /** Off: no automatic run. */
    readonly collector: OptionalComponent;
    /** Off: every unused image goes. */
    readonly scanner: OptionalComponent & { readonly config: ScannerConfig };
    readonly remover: Component;
  };
}

export interface Component {
  /** null: not said; the image is then ours. */
  readonly image: { readonly repo: string | null; readonly tag: string | null };
  /** 0: none. */
  readonly request: { readonly cpu: number; readonly mem: number };
  readonly limit: { readonly cpu: number; readonly mem: number };
  /** Folders and files of the node, mounted read-only at the same path. */
  readonly volumes: readonly HostVolume[];
}

export interface OptionalComponent extends Component {
  readonly enabled: boolean;
}

export interface HostVolume {
  readonly name: string;
  readonly hostPath: { readonly path: string; readonly type?: string | undefined };
}

export const RUNTIME_NAMES = ['containerd', 'crio', 'dockershim'] as const;
export interface ConfiguredRuntime {
  readonly name: (typeof RUNTIME_NAMES)[number];
  readonly address: string;
}

/** The address that Eraser gives a runtime when the configuration names no other. */
export const USUAL_RUNTIME_ADDRESSES: Readonly<Record<ConfiguredRuntime['name'], string>> = {
  containerd: 'unix:///run/containerd/containerd.sock',
  crio: 'unix:///run/crio/crio.sock',
  dockershim: 'unix:///run/dockershim.sock',
};

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `components.scanner.config`. A scanner of the user's own has a format of its own. */
export type ScannerConfig = TrivyConfig | { readonly kind: 'custom'; readonly text: string | null };

export interface TrivyConfig {
  readonly kind: 'trivy';
  /** In the scanner's container. */
  readonly cacheDir: string;
  readonly dbRepo: string;
  readonly deleteFailedImages: boolean;
  readonly deleteEOLImages: boolean;
  readonly vulnerabilities: {
    readonly ignoreUnfixed: boolean;
    readonly types: readonly PackageClass[];
    /** Always holds `vuln`. */
    readonly securityChecks: readonly SecurityCheck[];
    readonly severities: readonly Severity[];
    readonly ignoredStatuses: readonly FindingStatus[];
  };
  readonly timeout: { readonly total: number; readonly perImage: number };
}

/** Trivy's scanners, under their names of then and now. */
export const SECURITY_CHECKS = ['vuln', 'config', 'misconfig', 'secret', 'license'] as const;
export type SecurityCheck = (typeof SECURITY_CHECKS)[number];

/** When automatic runs are due. */
export type ConfiguredSchedule =
  /** The first at once or after the interval, then one every interval. */
  | { readonly kind: 'interval'; readonly intervalMs: number; readonly beginImmediately: boolean }
  | { readonly kind: 'cron'; readonly expression: string; readonly timeZone: string };

/** null: the configuration switches automatic runs off. */
export function scheduleOf({ manager, components }: EraserConfig): ConfiguredSchedule | null {
  const { repeatInterval, beginImmediately, cron, timeZone } = manager.scheduling;
  if (!components.collector.enabled) return null;
  return cron === null ? { kind: 'interval', intervalMs: repeatInterval, beginImmediately } : { kind: 'cron', expression: cron, timeZone };
}
