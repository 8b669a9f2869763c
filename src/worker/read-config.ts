import { readFile } from 'node:fs/promises';
import type { EraserConfig } from '../api/eraser-config.ts';
import { parseEraserConfig } from '../api/eraser-config/parse-eraser-config.ts';
import { parseDuration } from '../platform/duration.ts';
import { errorMessage } from '../platform/errors.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { WorkerError } from './worker-error.ts';

/** The configuration that the run has frozen. */
export async function readConfig(path: string): Promise<EraserConfig> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw badConfig(path, errorMessage(cause), cause);
  });
  const yaml = parseYaml(text);
  if (!yaml.ok) throw badConfig(path, yaml.message);
  const parsed = parseEraserConfig(yaml.value, { yaml: parseYaml, duration: parseDuration, quantity: parseQuantity });
  if (parsed.ok) return parsed.config;
  throw badConfig(path, parsed.errors.map(({ path: at, message }) => `${at}: ${message}`).join('; '));
}

function badConfig(path: string, why: string, cause?: unknown): WorkerError {
  return new WorkerError({ code: 'bad-input', message: `the configuration ${path} cannot be used: ${why}`, cause });
}
