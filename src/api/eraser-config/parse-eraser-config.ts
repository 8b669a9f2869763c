import * as z from 'zod';
import type { EraserConfig, ScannerConfig } from '../eraser-config.ts';
import { describeProblems, formatPath, type Problem } from '../problem.ts';
import { isNot, type TextParsers } from './config-values.ts';
import {
  API_VERSIONS,
  toV1alpha2,
  toV1alpha3,
  v1alpha1Schema,
  v1alpha2Schema,
  v1alpha3Schema,
  type ApiVersion,
  type V1alpha3,
} from './config-versions.ts';
import { trivyConfigSchema } from './trivy-config.ts';

export type ParsedEraserConfig =
  /** `warnings`: what the configuration asks for and does not get. */
  | { readonly ok: true; readonly config: EraserConfig; readonly warnings: readonly Problem[] }
  /** All of them, not only the first. */
  | { readonly ok: false; readonly errors: readonly Problem[] };

/**
 * Reads an `EraserConfig` of any version, as plain values. Strict, unlike Eraser: what it does not know is an error, since a setting that
 * is not heard may be one that was to keep images.
 */
export function parseEraserConfig(value: unknown, parsers: TextParsers): ParsedEraserConfig {
  const header = headerSchema.safeParse(value);
  if (!header.success) return { ok: false, errors: describeProblems(header.error) };
  const parsed = parseVersion[header.data.apiVersion](value, parsers);
  const scanner = parseScannerConfig(value, parsers);
  const errors = [...(parsed.success ? [] : describeProblems(parsed.error)), ...(scanner.ok ? [] : scanner.errors)];
  if (!parsed.success || !scanner.ok) return { ok: false, errors };
  const config = toEraserConfig(parsed.data, scanner.config);
  return { ok: true, config, warnings: findWarnings(parsed.data, config) };
}

const headerSchema = z.looseObject(
  {
    apiVersion: z.enum(API_VERSIONS, { error: isNot(`one of ${API_VERSIONS.join(', ')}`) }),
    kind: z.unknown().refine((kind) => kind === 'EraserConfig', { error: isNot('EraserConfig') }),
  },
  { error: isNot('a mapping with apiVersion, kind, manager and components') },
);

const parseVersion: Readonly<Record<ApiVersion, (value: unknown, parsers: TextParsers) => z.ZodSafeParseResult<V1alpha3>>> = {
  'eraser.sh/v1alpha1': (value, parsers) => v1alpha1Schema(parsers).transform(toV1alpha2).transform(toV1alpha3).safeParse(value),
  'eraser.sh/v1alpha2': (value, parsers) => v1alpha2Schema(parsers).transform(toV1alpha3).safeParse(value),
  'eraser.sh/v1alpha3': (value, parsers) => v1alpha3Schema(parsers).safeParse(value),
};

type ParsedScanner = { readonly ok: true; readonly config: ScannerConfig } | { readonly ok: false; readonly errors: readonly Problem[] };

/** All that is read of the scanner here; what is wrong with it is told by the whole's schema. */
const scannerSchema = z.object({
  components: z.object({
    scanner: z.object({
      config: z.string().nullish().catch(null),
      image: z.object({ repo: z.string().nullish() }).nullish().catch(null),
    }),
  }),
});
const SCANNER_CONFIG_PATH = ['components', 'scanner', 'config'] as const;

function parseScannerConfig(value: unknown, parsers: TextParsers): ParsedScanner {
  const read = scannerSchema.safeParse(value);
  const { config: text = null, image = null } = read.success ? read.data.components.scanner : {};
  if (!isTrivyScanner(image?.repo ?? null)) return { ok: true, config: { kind: 'custom', text } };
  const yaml = text === null ? { ok: true as const, value: null } : parsers.yaml(text);
  if (!yaml.ok) return { ok: false, errors: [{ path: formatPath(SCANNER_CONFIG_PATH), message: yaml.message }] };
  const config = trivyConfigSchema(parsers).safeParse(yaml.value);
  return config.success ? { ok: true, config: config.data } : { ok: false, errors: describeProblems(config.error, SCANNER_CONFIG_PATH) };
}

/** Eraser's own scanner, or a copy of it in another registry (the Azure Kubernetes Service has one, and so have closed networks). */
function isTrivyScanner(repo: string | null): boolean {
  return repo === null || repo === '' || repo.split('/').at(-1) === 'eraser-trivy-scanner';
}

function toEraserConfig({ manager, components }: V1alpha3, scannerConfig: ScannerConfig): EraserConfig {
  return {
    manager: without(manager, UNREAD),
    components: {
      collector: without(components.collector, ['config']),
      scanner: { ...components.scanner, config: scannerConfig },
      remover: without(components.remover, ['config']),
    },
  };
}

/** Named by Eraser's documentation only. */
const UNREAD = ['extraScannerVolumes', 'extraScannerVolumeMounts'] as const;

function without<Value extends object, Key extends keyof Value & string>(value: Value, keys: readonly Key[]): Omit<Value, Key> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.some((left) => left === key))) as Omit<Value, Key>;
}

function findWarnings({ manager }: V1alpha3, { components }: EraserConfig): Problem[] {
  const unread = UNREAD.filter((key) => isFilled(manager[key]));
  const { config } = components.scanner;
  const others = config.kind === 'custom' ? [] : config.vulnerabilities.securityChecks.filter((check) => check !== 'vuln');
  return [
    ...unread.map((key) => ({ path: `manager.${key}`, message: 'nothing reads it, nor does Eraser; see components.scanner.volumes' })),
    ...(others.length === 0
      ? []
      : [
          {
            path: formatPath([...SCANNER_CONFIG_PATH, 'vulnerabilities', 'securityChecks']),
            message: `only vulnerabilities (vuln) count; ${others.join(', ')} has no effect`,
          },
        ]),
  ];
}

function isFilled(value: unknown): boolean {
  return value !== null && value !== undefined && !(typeof value === 'object' && Object.keys(value).length === 0);
}
