import * as z from 'zod';
import type { EraserConfig } from '../api/eraser-config.ts';
import { CONFIG_MAP_KEY, parseEraserConfigMap } from '../api/eraser-config/config-map.ts';
import type { TextParsers } from '../api/eraser-config/config-values.ts';
import { parseEraserConfig } from '../api/eraser-config/parse-eraser-config.ts';
import type { Problem } from '../api/problem.ts';
import { parseDuration } from '../platform/duration.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { badUsage } from './cli-error.ts';
import { describeSome } from './describe-issues.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { readInputFile } from './read-input-file.ts';

/** As large as a ConfigMap can be. */
const MOST_BYTES = 1024 * 1024;
/** All that is wrong with a configuration; a file of another kind has thousands of faults. */
const MOST_ERRORS = 50;
const PARSERS: TextParsers = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };

export interface ReadConfig {
  readonly config: EraserConfig;
  /** Each names the file and the path in it. */
  readonly warnings: readonly string[];
}

/** The configuration in a file: an `EraserConfig`, or the ConfigMap that Eraser keeps it in, as `kubectl get -o yaml` prints it. */
export async function readConfig(file: string): Promise<ReadConfig> {
  const value = parseFile(file, await readInputFile('--config', file, MOST_BYTES));
  const inMap = isConfigMap(value);
  const name = inMap ? `${file} (${CONFIG_MAP_KEY})` : file;
  const parsed = inMap ? parseEraserConfigMap(value, PARSERS) : parseEraserConfig(value, PARSERS);
  const describe = ({ path, message }: Problem): string => `${name}: ${path === '' ? '' : `${path}: `}${message}`;
  if (!parsed.ok) {
    const errors = parsed.errors.map((error) => `--config ${describe(error)}`);
    throw badUsage(describeSome(errors, '\n', MOST_ERRORS));
  }
  return { config: parsed.config, warnings: parsed.warnings.map(describe) };
}

function parseFile(file: string, text: string): unknown {
  const parsed = parseYaml(text);
  if (parsed.ok && parsed.value !== null) return parsed.value;
  throw badUsage(`--config ${file}: ${parsed.ok ? 'empty' : parsed.message}`);
}

function isConfigMap(value: unknown): boolean {
  return z.looseObject({ kind: z.literal('ConfigMap') }).safeParse(value).success;
}
