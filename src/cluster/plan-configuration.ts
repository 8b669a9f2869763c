import * as z from 'zod';
import { defaultConfiguration } from '../installation/default-configuration.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { diffValues, type ValueChange } from './diff-values.ts';
import { editConfiguration, readInConfiguration, withIntervalHours } from './edit-configuration.ts';
import { DEFAULT_INTERVAL_HOURS } from './interval-hours.ts';
import { formatFaults, judgeConfiguration, requireUsable } from './judge-configuration.ts';
import type { InstallationSettings } from './installed-settings.ts';
import { repositoryOfImage, versionOfImage } from './plan-settings.ts';

export interface GivenConfiguration {
  /** null: not given. */
  readonly text: string | null;
  readonly intervalHours: number | null;
}

export interface ConfigurationPlan {
  readonly action: 'create' | 'change' | 'keep';
  readonly text: string;
  readonly changes: readonly ValueChange[];
  /** Of a stored configuration that the manager will refuse, or not heed in part. */
  readonly warnings: readonly string[];
}

type Images = Pick<InstallationSettings, 'image' | 'scannerImage'>;

export interface PlannedImages {
  readonly planned: Images;
  /** null: none are. */
  readonly installed: Images | null;
  /** Of this program: where the image's tag tells none. */
  readonly version: string;
}

/**
 * The configuration after an enable: what was given explicitly, else what is stored, else the default. What is given has to be usable; what is stored
 * stays, whatever it says, but for tags of our images, which tell the version that is installed. Throws a ClusterError `bad-value`.
 */
export function planConfiguration(stored: string | null, given: GivenConfiguration, images: PlannedImages): ConfigurationPlan {
  const base = given.text ?? (stored === null ? newConfiguration(images) : withVersion(stored, images));
  if (given.text !== null) requireUsable('The configuration of --config', given.text);
  if (given.intervalHours !== null) requireUsable('The stored configuration', base);
  const text = given.intervalHours === null ? base : withInterval(base, given.intervalHours);
  if (stored === null) return { action: 'create', text, changes: [], warnings: warningsOf(text) };
  const action = text === stored ? 'keep' : 'change';
  return { action, text, changes: diffConfigurations(stored, text), warnings: warningsOf(text) };
}

function newConfiguration({ planned, version }: PlannedImages): string {
  return withIntervalHours(defaultConfiguration(versionOfImage(planned.image) ?? version), DEFAULT_INTERVAL_HOURS);
}

const COMPONENTS = ['collector', 'scanner', 'remover'];

/** The tags that say the version before, of images that are ours. */
function withVersion(text: string, { planned, installed }: PlannedImages): string {
  if (installed === null) return text;
  const from = versionOfImage(installed.image);
  const to = versionOfImage(planned.image);
  if (from === null || to === null || from === to || !judgeConfiguration(text).ok) return text;
  const repositories: unknown[] = ['', repositoryOfImage(installed.image), repositoryOfImage(installed.scannerImage)];
  const tags = COMPONENTS.map((component) => ['components', component, 'image'])
    .filter((path) => repositories.includes(readInConfiguration(text, [...path, 'repo']) ?? ''))
    .map((path) => [...path, 'tag'])
    .filter((path) => readInConfiguration(text, path) === from);
  if (tags.length === 0) return text;
  return editConfiguration(
    text,
    tags.map((path) => ({ path, value: to })),
  );
}

/** The text is left alone where it says so already. */
function withInterval(text: string, hours: number): string {
  const changed = withIntervalHours(text, hours);
  return diffConfigurations(text, changed).length === 0 ? text : changed;
}

/** By value, also within the YAML of the scanner, which is a text; a text that is no YAML has none. */
export function diffConfigurations(from: string, to: string): ValueChange[] {
  return diffValues(plainValue(from), plainValue(to));
}

const withScannerSchema = z.looseObject({ components: z.looseObject({ scanner: z.looseObject({ config: z.string() }) }) });

function plainValue(text: string): unknown {
  const parsed = parseYaml(text);
  if (!parsed.ok) return undefined;
  const scanned = withScannerSchema.safeParse(parsed.value).data;
  if (scanned === undefined) return parsed.value;
  const { components } = scanned;
  const config = plainValue(components.scanner.config) ?? components.scanner.config;
  return { ...scanned, components: { ...components, scanner: { ...components.scanner, config } } };
}

function warningsOf(text: string): string[] {
  const judged = judgeConfiguration(text);
  if (!judged.ok) return [`The stored configuration cannot be used, and no run begins until it can:\n${formatFaults(judged.errors)}`];
  return judged.warnings.map(({ path, message }) => `${path}: ${message}`);
}
