import { formatPath } from '../api/problem.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { ClusterError } from './cluster-error.ts';
import { editConfiguration, readInConfiguration, type ConfigurationEdit } from './edit-configuration.ts';
import { formatFaults, judgeConfiguration, requireUsable } from './judge-configuration.ts';

/** `manager.scheduling.repeatInterval`; a key that has dots itself stands in quotes: `manager.additionalPodLabels."example.com/team"`. */
export function parseConfigurationKey(text: string): string[] {
  const parts = [...text.matchAll(/(?:^|\.)(?:"([^"]*)"|([^."]+))/g)];
  const isWhole = parts.map(([whole]) => whole).join('') === text && !text.startsWith('.');
  if (isWhole && parts.length > 0) return parts.map(([, quoted, plain]) => quoted ?? plain ?? '');
  throw badValue(`"${text}" is no key of a configuration.`, 'A key is like manager.scheduling.repeatInterval.');
}

/** What stands there; undefined: nothing, and the default holds. Throws `bad-value` when there is no such key, with the nearest one. */
export function readKey(text: string, path: readonly string[]): unknown {
  const value = readInConfiguration(text, path);
  if (value === undefined) requireKnown(text, path);
  return value;
}

/** Where nothing stands, it is asked of the schemas whether something may. */
function requireKnown(text: string, path: readonly string[]): void {
  const judged = judgeConfiguration(edited(text, [{ path, value: null }]));
  const ends = path.map((_key, at) => formatPath(path.slice(0, at + 1)));
  const unknown = judged.ok ? undefined : judged.errors.find((error) => ends.includes(error.path) && error.message.startsWith('unknown'));
  if (unknown !== undefined)
    throw badValue(`${unknown.path}: ${unknown.message}`, 'Every key is described in docs/reference/eraserconfig.md.');
}

/**
 * The text with `KEY=VALUE` of each; a value is YAML (`24h`, `true`, `[CRITICAL, HIGH]`), and none (`KEY=`) takes the key out. Throws `bad-value` when
 * the result cannot be used.
 */
export function assignKeys(text: string, assignments: readonly string[]): string {
  requireUsable('The stored configuration', text);
  const changed = assignments.map(parseAssignment).reduce(assign, text);
  requireUsable('The configuration with these values', changed);
  return changed;
}

interface Assignment {
  readonly path: readonly string[];
  readonly given: string;
}

function parseAssignment(assignment: string): Assignment {
  const [, key, given] = /^((?:"[^"]*"|[^="])*)=(.*)$/s.exec(assignment) ?? [];
  if (key === undefined || given === undefined)
    throw badValue(`"${assignment}" is not KEY=VALUE.`, 'For example: manager.scheduling.repeatInterval=48h');
  return { path: parseConfigurationKey(key), given };
}

function assign(text: string, { path, given }: Assignment): string {
  if (given.trim() === '') {
    requireKnown(text, path);
    return edited(text, [{ path, value: undefined }]);
  }
  const parsed = parseYaml(given);
  if (!parsed.ok) throw badValue(`${formatPath(path)}: ${given} is ${parsed.message}`);
  const changed = edited(text, [{ path, value: parsed.value }]);
  // `1.0` is a number, but may be meant for a tag.
  const asText = edited(text, [{ path, value: given }]);
  return typeof parsed.value !== 'string' && !judgeConfiguration(changed).ok && judgeConfiguration(asText).ok ? asText : changed;
}

function edited(text: string, edits: readonly ConfigurationEdit[]): string {
  try {
    return editConfiguration(text, edits);
  } catch (error) {
    const [edit] = edits;
    throw badValue(`${formatPath(edit?.path ?? [])}: what is above this key is no mapping (${(error as Error).message})`);
  }
}

/** Throws `bad-value` for a file that cannot be used; returns what of it has no effect. */
export function validateConfiguration(name: string, text: string): string {
  return formatFaults(requireUsable(name, text).warnings);
}

function badValue(message: string, hint?: string): ClusterError {
  return new ClusterError({ code: 'bad-value', message, ...(hint === undefined ? {} : { hint }) });
}
