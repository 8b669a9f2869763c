import * as z from 'zod';
import type { EraserConfig } from '../api/eraser-config.ts';
import { parseEraserConfig, type ConfigProblem } from '../api/eraser-config/parse-eraser-config.ts';
import { parseDuration } from '../platform/duration.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { badUsage, type CliError } from './cli-error.ts';
import { describeSome } from './describe-issues.ts';
import { parseYaml } from './parse-yaml.ts';
import { readInputFile } from './read-input-file.ts';

/** As large as a ConfigMap can be. */
const MOST_BYTES = 1024 * 1024;
/** All that is wrong with a configuration; a file of another kind has thousands of faults. */
const MOST_ERRORS = 50;
const CONFIG_MAP_KEY = 'controller_manager_config.yaml';

export interface ReadConfig {
  readonly config: EraserConfig;
  /** Each names the file and the path in it. */
  readonly warnings: readonly string[];
}

/** The configuration in a file: an `EraserConfig`, or the ConfigMap that Eraser keeps it in, as `kubectl get -o yaml` prints it. */
export async function readConfig(file: string): Promise<ReadConfig> {
  const value = parseFile(file, await readInputFile('--config', file, MOST_BYTES));
  const { name, value: given } = isConfigMap(value) ? openConfigMap(file, value) : { name: file, value };
  const parsed = parseEraserConfig(given, { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml });
  const describe = ({ path, message }: ConfigProblem): string => `${name}: ${path === '' ? '' : `${path}: `}${message}`;
  if (!parsed.ok) {
    const errors = parsed.errors.map((error) => `--config ${describe(error)}`);
    throw badUsage(describeSome(errors, '\n', MOST_ERRORS));
  }
  return { config: parsed.config, warnings: parsed.warnings.map(describe) };
}

/** `name`: for messages. */
function parseFile(name: string, text: string): unknown {
  const parsed = parseYaml(text);
  if (!parsed.ok) throw refuse(name, parsed.message);
  if (parsed.value === null) throw refuse(name, 'empty');
  return parsed.value;
}

function isConfigMap(value: unknown): boolean {
  return z.looseObject({ kind: z.literal('ConfigMap') }).safeParse(value).success;
}

function openConfigMap(file: string, value: unknown): { readonly name: string; readonly value: unknown } {
  const map = z.looseObject({ data: z.looseObject({ [CONFIG_MAP_KEY]: z.string() }) }).safeParse(value);
  if (!map.success) throw refuse(file, `data: the ConfigMap has no text under the key ${CONFIG_MAP_KEY}`);
  const name = `${file} (${CONFIG_MAP_KEY})`;
  return { name, value: parseFile(name, map.data.data[CONFIG_MAP_KEY]) };
}

function refuse(name: string, message: string): CliError {
  return badUsage(`--config ${name}: ${message}`);
}
