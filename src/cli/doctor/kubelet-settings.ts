import { parse } from 'yaml';
import * as z from 'zod';
import { parseDuration } from '../../platform/duration.ts';

/** What the kubelet's own image garbage collection goes by. */
export interface KubeletSettings {
  readonly highPercent: number;
  readonly lowPercent: number;
  readonly minimumAgeMs: number;
  /** 0: none goes for its age alone. */
  readonly maximumAgeMs: number;
  /** The keys that are not set and have the kubelet's default. */
  readonly unset: readonly string[];
}

/** KubeletConfiguration `kubelet.config.k8s.io/v1beta1`: these keys of it, and their defaults. */
const DEFAULTS = {
  imageGCHighThresholdPercent: 85,
  imageGCLowThresholdPercent: 80,
  imageMinimumGCAge: '2m',
  imageMaximumGCAge: '0s',
} as const;
type Key = keyof typeof DEFAULTS;

const age = z.string().transform((text, issues) => {
  const parsed = parseDuration(text);
  if (parsed.ok) return parsed.value;
  issues.addIssue({ code: 'custom', message: `"${text}" is no duration` });
  return z.NEVER;
});
const percent = z.coerce.number().min(0).max(100);
const schema = z.object({
  imageGCHighThresholdPercent: percent,
  imageGCLowThresholdPercent: percent,
  imageMinimumGCAge: age,
  imageMaximumGCAge: age,
});
const fileSchema = z.record(z.string(), z.unknown()).nullable();

/** Flags that win over the file. They are deprecated, and still in use. */
const FLAGS: Readonly<Record<string, Key>> = {
  'image-gc-high-threshold': 'imageGCHighThresholdPercent',
  'image-gc-low-threshold': 'imageGCLowThresholdPercent',
  'minimum-image-ttl-duration': 'imageMinimumGCAge',
};

/**
 * The settings by the texts of configuration files (YAML or JSON; a later one wins) and the kubelet's command line.
 * @throws Error that says what cannot be read
 */
export function parseKubeletSettings(files: readonly string[], commandLine: readonly string[]): KubeletSettings {
  const given: Record<string, unknown> = {};
  for (const text of files) {
    const file = fileSchema.parse(parse(text)) ?? {};
    for (const key of Object.keys(DEFAULTS)) if (file[key] !== undefined && file[key] !== null) given[key] = file[key];
  }
  for (const [flag, key] of Object.entries(FLAGS)) {
    const value = flagValue(commandLine, flag);
    if (value !== null) given[key] = value;
  }
  const settings = schema.parse({ ...DEFAULTS, ...given });
  return {
    highPercent: settings.imageGCHighThresholdPercent,
    lowPercent: settings.imageGCLowThresholdPercent,
    minimumAgeMs: settings.imageMinimumGCAge,
    maximumAgeMs: settings.imageMaximumGCAge,
    unset: Object.keys(DEFAULTS).filter((key) => given[key] === undefined),
  };
}

/** `--config=FILE` or `--config FILE`, also with one dash; the last one holds. null: it is not there. */
export function flagValue(commandLine: readonly string[], name: string): string | null {
  let value: string | null = null;
  for (const [index, word] of commandLine.entries()) {
    const [, flag, given] = /^--?([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (flag === name) value = given ?? commandLine[index + 1] ?? null;
  }
  return value;
}
