import * as z from 'zod';
import { LOG_LEVELS, RUNTIME_NAMES, USUAL_RUNTIME_ADDRESSES, type ConfiguredRuntime } from '../eraser-config.ts';
import {
  countOrShare,
  countOrShareFromNone,
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
/** The manager's own would be that of its image. */
const DEFAULT_TIME_ZONE = 'UTC';
/** Kubernetes keeps ten of each workload, unless told otherwise. */
const MOST_REVISIONS = 1_000;
const SINCE_V1ALPHA3 = 'it is there from eraser.sh/v1alpha3 on';
const MANAGER = 'The manager, and its runs.';
const COMPONENTS = 'The containers of the worker pods.';

export const API_VERSIONS = ['eraser.sh/v1alpha1', 'eraser.sh/v1alpha2', 'eraser.sh/v1alpha3'] as const;
export type ApiVersion = (typeof API_VERSIONS)[number];

export function v1alpha1Schema(parsers: TextParsers) {
  return document('eraser.sh/v1alpha1', {
    manager: managerOfName(parsers),
    components: section(
      { ...assessingComponents(parsers), eraser: remover(parsers) },
      { hints: { remover: 'in eraser.sh/v1alpha1 it is called eraser' } },
    ).meta({ description: COMPONENTS }),
  });
}

export function v1alpha2Schema(parsers: TextParsers) {
  return document('eraser.sh/v1alpha2', { manager: managerOfName(parsers), components: components(parsers) });
}

export function v1alpha3Schema(parsers: TextParsers) {
  const manager = section({
    ...managerShape(parsers),
    scheduling: section({ ...schedulingShape(parsers), ...ownSchedulingShape(parsers) }).meta({ description: SCHEDULING }),
    imageJob: section({ ...imageJobShape(parsers), ...ownImageJobShape(parsers) }).meta({ description: IMAGE_JOB }),
    keptRevisions: orElse(wholeNumberBetween(0, MOST_REVISIONS), 0).meta({
      description:
        'The images of so many earlier revisions of each Deployment, StatefulSet and DaemonSet stay, for a rollback. Those of CronJobs, of Jobs that ' +
        'have not ended and of workloads at zero always do.',
    }),
    runtime,
    additionalPodLabels: orElse(z.record(z.string(), text, { error: isNot('a mapping of labels') }), NO_LABELS).meta({
      description: 'Labels that the worker pods get besides their own.',
    }),
    // Named by Eraser's documentation; nothing of Eraser reads them.
    extraScannerVolumes: unread('Nothing reads it, nor does Eraser; see `components.scanner.volumes`.'),
    extraScannerVolumeMounts: unread('Nothing reads it, nor does Eraser; see `components.scanner.volumes`.'),
  }).meta({ description: MANAGER });
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
  const scheduling = { ...manager.scheduling, cron: null, timeZone: DEFAULT_TIME_ZONE, maintenanceWindow: null };
  const imageJob = { ...manager.imageJob, maxParallel: null, maxFailed: null, waves: { pause: 0 }, lateNodes: { within: 0 } };
  const added = { runtime: named, additionalPodLabels: NO_LABELS, scheduling, imageJob, keptRevisions: 0 };
  return { ...config, apiVersion: 'eraser.sh/v1alpha3', manager: { ...manager, ...added } };
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
    apiVersion: z.literal(version).meta({ description: 'The version that the configuration is written in.' }),
    kind: z.literal('EraserConfig', { error: isNot('EraserConfig') }).meta({ description: 'The kind of the configuration.' }),
    manager,
    components: parts,
    // Settings of the manager's own servers, which Eraser's chart passes on.
    health: unread(OF_THE_SERVERS),
    metrics: unread(OF_THE_SERVERS),
    webhook: unread(OF_THE_SERVERS),
    leaderElection: unread(OF_THE_SERVERS),
  };
  return z.strictObject(shape, { error: (issue) => explainMapping(issue, Object.keys(shape), {}) });
}

const OF_THE_SERVERS = "Of the servers of Eraser's manager: allowed, and not read.";

function unread(description: string) {
  return z.unknown().optional().meta({ description });
}

function managerShape(parsers: TextParsers) {
  return {
    otlpEndpoint: orElse(text, '').meta({ description: 'Where metrics go, by OpenTelemetry over HTTP (`host:port`); empty: nowhere.' }),
    logLevel: orElse(word(LOG_LEVELS), 'info' as const).meta({ description: 'The least level that is logged.' }),
    scheduling: section(schedulingShape(parsers), { hints: hintsOf(ownSchedulingShape(parsers)) }).meta({ description: SCHEDULING }),
    profile: section({
      enabled: orElse(flag, false).meta({ description: 'Whether profiles can be taken of the running programs.' }),
      port: orElse(wholeNumberBetween(0, 65_535), 6060).meta({ description: 'The port that they are taken from.' }),
    }).meta({ description: 'Profiling.' }),
    imageJob: section(imageJobShape(parsers), { hints: hintsOf(ownImageJobShape(parsers)) }).meta({ description: IMAGE_JOB }),
    pullSecrets: orElse(listOf(filledText), []).meta({
      description: 'Secrets, in the namespace of the manager, to pull the images of the worker pods with.',
    }),
    priorityClassName: orElse(text, '').meta({ description: 'The priority class of the worker pods; empty: not said.' }),
    nodeFilter: section({
      type: orElse(word(['exclude', 'include']), 'exclude' as const).meta({
        description: 'Whether the nodes that a selector matches are left out, or the only ones that are cleaned.',
      }),
      selectors: orElse(listOf(filledText), [NODE_FILTER, 'kubernetes.io/os=windows'])
        .transform((selectors) => (selectors.includes(NODE_FILTER) ? selectors : [...selectors, NODE_FILTER]))
        .meta({ description: `Labels of nodes, \`name\` or \`name=value\`; \`${NODE_FILTER}\` is always added.` }),
    }).meta({ description: 'Which nodes are cleaned.' }),
  };
}

const SCHEDULING = 'When automatic runs are due.';
const IMAGE_JOB = 'How runs are carried out, judged and cleared away.';

function schedulingShape(parsers: TextParsers) {
  return {
    repeatInterval: orElse(durationAboveZero(parsers), 24 * HOUR_MS).meta({
      description: 'From the beginning of an automatic run to the next.',
    }),
    beginImmediately: orElse(flag, true).meta({ description: 'The first automatic run begins at once; if not, after the interval.' }),
  };
}

/** What Eraser has not. Whoever puts it into force says whether the expressions and the time zone are any. */
function ownSchedulingShape(parsers: TextParsers) {
  return {
    cron: orElse(filledText, null).meta({
      description: 'A cron expression of five fields (`0 3 * * 0`), in the place of `repeatInterval` and `beginImmediately`.',
    }),
    timeZone: orElse(filledText, DEFAULT_TIME_ZONE).meta({ description: 'Of the cron expressions, such as `Europe/Berlin`.' }),
    maintenanceWindow: orElse(
      z.strictObject(
        {
          opens: filledText.meta({ description: 'A cron expression of five fields: when it opens.' }),
          length: durationAboveZero(parsers).meta({ description: 'How long it stays open.' }),
        },
        { error: (issue) => explainMapping(issue, ['opens', 'length'], { allowed: 'a mapping with opens and length' }) },
      ),
      null,
    ).meta({ description: 'Automatic runs begin only while it is open; one that is under way when it closes is finished.' }),
  };
}

function imageJobShape(parsers: TextParsers) {
  return {
    successRatio: orElse(numberBetween(0, 1), 1).meta({
      description: 'The part of the nodes that must succeed, or be skipped, for a run to count as completed.',
    }),
    cleanup: section({
      delayOnSuccess: orElse(duration(parsers), 0).meta({ description: 'After the end of a run that completed.' }),
      delayOnFailure: orElse(duration(parsers), 24 * HOUR_MS).meta({ description: 'After the end of a run that failed.' }),
    }).meta({ description: 'When the ImageJob of a run is deleted.' }),
  };
}

/** What Eraser has not. */
function ownImageJobShape(parsers: TextParsers) {
  return {
    maxParallel: orElse(countOrShare, null).meta({
      description:
        'How many nodes are worked on at once: a number, or a part of those that take part (`10%`). Not said: 10 %, at least 10, at most 200.',
    }),
    maxFailed: orElse(countOrShareFromNone, null).meta({
      description:
        'When more nodes than that have failed, a number or a part of those that take part (`5%`), no others are begun with, and the run has failed. ' +
        'Not said: a run goes over all nodes, however many fail.',
    }),
    waves: section({
      pause: orElse(duration(parsers), 0).meta({
        description:
          'From the end of one wave to the beginning of the next. Above zero, a wave is `maxParallel` nodes, and all of them end before the pause ' +
          'begins; at zero, a node is begun with whenever another has ended.',
      }),
    }).meta({ description: 'How the nodes of a run follow one another.' }),
    lateNodes: section({
      within: orElse(duration(parsers), 0).meta({
        description:
          'So long after the end of an automatic run, a node that was not ready then, or that was not there, is cleaned when it comes, by a run of its own. ' +
          'At zero it waits for the next run.',
      }),
    }).meta({ description: 'Nodes that were away when an automatic run went over the cluster.' }),
  };
}

/** For what a later version has. */
function hintsOf(shape: object): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(shape).map((key) => [key, SINCE_V1ALPHA3]));
}

/** The manager before v1alpha3. */
function managerOfName(parsers: TextParsers) {
  const name = word(RUNTIME_NAMES, '; name and address are for eraser.sh/v1alpha3');
  return section(
    { ...managerShape(parsers), runtime: orElse(name, 'containerd' as const).meta({ description: 'The container runtime of the nodes.' }) },
    { hints: hintsOf({ additionalPodLabels: null, keptRevisions: null }) },
  ).meta({ description: MANAGER });
}

const runtime = section(
  {
    name: word(RUNTIME_NAMES).nullish().meta({ byDefault: 'containerd', description: 'Which it is. Needed beside an address.' }),
    address: text
      .regex(/^(unix:(\/\/)?\/.*)?$/, { error: isNot('the address of a socket, such as unix:///run/containerd/containerd.sock') })
      .nullish()
      .meta({
        byDefault: USUAL_RUNTIME_ADDRESSES.containerd,
        description: `Its socket. By default that of the name: \`${USUAL_RUNTIME_ADDRESSES.crio}\` for crio, \`${USUAL_RUNTIME_ADDRESSES.dockershim}\` for dockershim.`,
      }),
  },
  { allowed: 'a mapping of name and address; a name alone is for eraser.sh/v1alpha1 and v1alpha2' },
)
  .transform(({ name, address }, context): ConfiguredRuntime => {
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
  })
  .meta({ description: 'The container runtime, on the nodes whose runtime has that name.' });

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
  const resources = ({ cpu, mem }: Resources, description: string) =>
    section({
      cpu: orElse(quantity(parsers), cpu).meta({ description: 'Processors; 0: none.' }),
      mem: orElse(quantity(parsers), mem).meta({ description: 'Bytes of memory; 0: none.' }),
    }).meta({ description });
  return {
    image: section({
      repo: orElse(text, null).meta({ description: 'The repository, without a tag.' }),
      tag: orElse(text, null).meta({ description: 'The tag.' }),
    }).meta({ description: 'The image of the container; not said, it is ours.' }),
    request: resources(request, 'What the container is sure to have.'),
    limit: resources(limit, 'What the container may have at most.'),
    config: componentConfig.meta({ description: 'Nothing reads it here.' }),
    volumes: orElse(listOf(volume), []).meta({ description: 'Folders and files of the node, mounted read-only at the same path.' }),
  };
}

const componentConfig = orElse(z.string({ error: isNot('a text that holds YAML, as after "config: |"') }), null);

const volumeShape = {
  name: filledText.meta({ description: 'The name of the volume.' }),
  hostPath: z
    .strictObject(
      {
        path: text.regex(/^\//, { error: isNot('an absolute path') }).meta({ description: 'An absolute path.' }),
        type: text.optional().meta({ description: 'What must be there, such as `Directory`, as in a volume of a pod.' }),
      },
      {
        error: (issue) => explainMapping(issue, ['path', 'type'], { allowed: 'a mapping with a path; no other volumes are mounted' }),
      },
    )
    .meta({ description: 'Where it is on the node.' }),
};
const volume = z.strictObject(volumeShape, {
  error: (issue) => explainMapping(issue, Object.keys(volumeShape), { allowed: 'a mapping with name and hostPath' }),
});

function remover(parsers: TextParsers) {
  return section(componentShape(parsers, REMOVER)).meta({ description: 'Removes the images.' });
}

function assessingComponents(parsers: TextParsers) {
  const enabled = orElse(flag, false);
  return {
    collector: section({
      enabled: enabled.meta({ description: 'If not, there are no automatic runs.' }),
      ...componentShape(parsers, COLLECTOR),
    }).meta({ description: 'Lists the images that no container uses.' }),
    scanner: section({
      enabled: enabled.meta({ description: 'If not, **every unused image goes**.' }),
      ...componentShape(parsers, SCANNER),
      config: componentConfig.meta({
        description: 'A text that holds YAML, for the scanner. What ours takes is below; a scanner of your own has a format of its own.',
      }),
    }).meta({ description: 'Says which of them are to go.' }),
  };
}

function components(parsers: TextParsers) {
  return section(
    { ...assessingComponents(parsers), remover: remover(parsers) },
    { hints: { eraser: 'since eraser.sh/v1alpha2 it is called remover' } },
  ).meta({ description: COMPONENTS });
}
