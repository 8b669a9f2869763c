import * as z from 'zod';
import { LOG_LEVELS, RUNTIME_NAMES, USUAL_RUNTIME_ADDRESSES, type ConfiguredRuntime } from '../eraser-config.ts';
import {
  duration,
  durationAboveZero,
  explainMapping,
  filledText,
  flag,
  isNot,
  listOf,
  numberBetween,
  orElse,
  quantity,
  section,
  text,
  wholeNumberBetween,
  word,
  type TextParsers,
} from './config-values.ts';

/** One schema for each version of `EraserConfig`, and the conversions from each to the next. */

const HOUR_MS = 3_600_000;
const MiB = 1024 * 1024;
const NO_LABELS: Readonly<Record<string, string>> = {};
const NODE_FILTER = 'eraser.sh/cleanup.filter';

export const API_VERSIONS = ['eraser.sh/v1alpha1', 'eraser.sh/v1alpha2', 'eraser.sh/v1alpha3'] as const;
export type ApiVersion = (typeof API_VERSIONS)[number];

export function v1alpha1Schema(parsers: TextParsers) {
  return document('eraser.sh/v1alpha1', {
    manager: managerOfName(parsers),
    components: section(
      { ...assessingComponents(parsers), eraser: component(parsers, REMOVER) },
      { hints: { remover: 'in eraser.sh/v1alpha1 it is called eraser' } },
    ),
  });
}

export function v1alpha2Schema(parsers: TextParsers) {
  return document('eraser.sh/v1alpha2', { manager: managerOfName(parsers), components: components(parsers) });
}

export function v1alpha3Schema(parsers: TextParsers) {
  const manager = section({
    ...managerShape(parsers),
    runtime,
    additionalPodLabels: orElse(z.record(z.string(), text, { error: isNot('a mapping of labels') }), NO_LABELS),
    // Named by Eraser's documentation; nothing of Eraser reads them.
    extraScannerVolumes: z.unknown().optional(),
    extraScannerVolumeMounts: z.unknown().optional(),
  });
  return document('eraser.sh/v1alpha3', { manager, components: components(parsers) });
}

export type V1alpha1 = z.output<ReturnType<typeof v1alpha1Schema>>;
export type V1alpha2 = z.output<ReturnType<typeof v1alpha2Schema>>;
export type V1alpha3 = z.output<ReturnType<typeof v1alpha3Schema>>;

export function toV1alpha2({ components: { eraser, ...others }, ...config }: V1alpha1): V1alpha2 {
  return { ...config, apiVersion: 'eraser.sh/v1alpha2', components: { ...others, remover: eraser } };
}

export function toV1alpha3({ manager, ...config }: V1alpha2): V1alpha3 {
  const named = { name: manager.runtime, address: USUAL_RUNTIME_ADDRESSES[manager.runtime] };
  return { ...config, apiVersion: 'eraser.sh/v1alpha3', manager: { ...manager, runtime: named, additionalPodLabels: NO_LABELS } };
}

interface DocumentParts<Manager extends z.ZodType, Components extends z.ZodType> {
  readonly manager: Manager;
  readonly components: Components;
}

function document<Version extends ApiVersion, Manager extends z.ZodType, Components extends z.ZodType>(
  version: Version,
  { manager, components: parts }: DocumentParts<Manager, Components>,
) {
  const shape = {
    apiVersion: z.literal(version),
    kind: z.literal('EraserConfig', { error: isNot('EraserConfig') }),
    manager,
    components: parts,
    // Settings of the manager's own servers, which Eraser's chart passes on.
    health: z.unknown().optional(),
    metrics: z.unknown().optional(),
    webhook: z.unknown().optional(),
    leaderElection: z.unknown().optional(),
  };
  return z.strictObject(shape, { error: (issue) => explainMapping(issue, Object.keys(shape), {}) });
}

function managerShape(parsers: TextParsers) {
  return {
    otlpEndpoint: orElse(text, ''),
    logLevel: orElse(word(LOG_LEVELS), 'info' as const),
    scheduling: section({
      repeatInterval: orElse(durationAboveZero(parsers), 24 * HOUR_MS),
      beginImmediately: orElse(flag, true),
    }),
    profile: section({ enabled: orElse(flag, false), port: orElse(wholeNumberBetween(0, 65_535), 6060) }),
    imageJob: section({
      successRatio: orElse(numberBetween(0, 1), 1),
      cleanup: section({ delayOnSuccess: orElse(duration(parsers), 0), delayOnFailure: orElse(duration(parsers), 24 * HOUR_MS) }),
    }),
    pullSecrets: orElse(listOf(filledText), []),
    priorityClassName: orElse(text, ''),
    nodeFilter: section({
      type: orElse(word(['exclude', 'include']), 'exclude' as const),
      selectors: orElse(listOf(filledText), [NODE_FILTER, 'kubernetes.io/os=windows']).transform((selectors) =>
        selectors.includes(NODE_FILTER) ? selectors : [...selectors, NODE_FILTER],
      ),
    }),
  };
}

/** The manager before v1alpha3. */
function managerOfName(parsers: TextParsers) {
  const name = word(RUNTIME_NAMES, '; name and address are for eraser.sh/v1alpha3');
  return section(
    { ...managerShape(parsers), runtime: orElse(name, 'containerd' as const) },
    { hints: { additionalPodLabels: 'it is there from eraser.sh/v1alpha3 on' } },
  );
}

const runtime = section(
  {
    name: word(RUNTIME_NAMES).nullish(),
    address: text
      .regex(/^(unix:(\/\/)?\/.*)?$/, { error: isNot('the address of a socket, such as unix:///run/containerd/containerd.sock') })
      .nullish(),
  },
  { allowed: 'a mapping of name and address; a name alone is for eraser.sh/v1alpha1 and v1alpha2' },
).transform(({ name, address }, context): ConfiguredRuntime => {
  const isNamed = name !== null && name !== undefined;
  const isAddressed = address !== null && address !== undefined && address !== '';
  if (isAddressed && !isNamed) {
    context.addIssue({
      code: 'custom',
      path: ['name'],
      message: `is missing beside an address; it must be one of ${RUNTIME_NAMES.join(', ')}`,
    });
  }
  const chosen = name ?? 'containerd';
  return { name: chosen, address: isAddressed ? address : USUAL_RUNTIME_ADDRESSES[chosen] };
});

interface Resources {
  readonly cpu: number;
  readonly mem: number;
}
interface ComponentDefaults {
  readonly request: Resources;
  readonly limit: Resources;
}

/** As in Eraser's manifest: a limit of 0 processors is none. */
const COLLECTOR: ComponentDefaults = { request: { cpu: 0.007, mem: 25 * MiB }, limit: { cpu: 0, mem: 500 * MiB } };
const SCANNER: ComponentDefaults = { request: { cpu: 1, mem: 500 * MiB }, limit: { cpu: 0, mem: 2048 * MiB } };
const REMOVER: ComponentDefaults = { request: { cpu: 0, mem: 25 * MiB }, limit: { cpu: 0, mem: 30 * MiB } };

function componentShape(parsers: TextParsers, { request, limit }: ComponentDefaults) {
  const resources = ({ cpu, mem }: Resources) => section({ cpu: orElse(quantity(parsers), cpu), mem: orElse(quantity(parsers), mem) });
  return {
    image: section({ repo: orElse(text, null), tag: orElse(text, null) }),
    request: resources(request),
    limit: resources(limit),
    config: orElse(z.string({ error: isNot('a text that holds YAML, as after "config: |"') }), null),
    volumes: orElse(listOf(volume), []),
  };
}

const volumeShape = {
  name: filledText,
  hostPath: z.strictObject(
    { path: text.regex(/^\//, { error: isNot('an absolute path') }), type: text.optional() },
    {
      error: (issue) => explainMapping(issue, ['path', 'type'], { allowed: 'a mapping with a path; no other volumes are mounted' }),
    },
  ),
};
const volume = z.strictObject(volumeShape, {
  error: (issue) => explainMapping(issue, Object.keys(volumeShape), { allowed: 'a mapping with name and hostPath' }),
});

function component(parsers: TextParsers, defaults: ComponentDefaults) {
  return section(componentShape(parsers, defaults));
}

function assessingComponents(parsers: TextParsers) {
  const enabled = orElse(flag, false);
  return {
    collector: section({ enabled, ...componentShape(parsers, COLLECTOR) }),
    scanner: section({ enabled, ...componentShape(parsers, SCANNER) }),
  };
}

function components(parsers: TextParsers) {
  return section(
    { ...assessingComponents(parsers), remover: component(parsers, REMOVER) },
    { hints: { eraser: 'since eraser.sh/v1alpha2 it is called remover' } },
  );
}
