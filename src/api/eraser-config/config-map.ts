import * as z from 'zod';
import type { TextParsers } from './config-values.ts';
import { parseEraserConfig, type ParsedEraserConfig } from './parse-eraser-config.ts';

/** The configmap, in the manager's own namespace, that holds its `EraserConfig`, and the key. */
export const CONFIG_MAP_NAME = 'eraser-manager-config';
export const CONFIG_MAP_KEY = 'controller_manager_config.yaml';

const configMapSchema = z.object({ data: z.object({ [CONFIG_MAP_KEY]: z.string() }) });

/** The configuration in a configmap, as the API server gives it or a file has it. Paths of problems are those within the configuration. */
export function parseEraserConfigMap(configMap: unknown, parsers: TextParsers): ParsedEraserConfig {
  const map = configMapSchema.safeParse(configMap);
  if (!map.success) return fault('data', `the ConfigMap has no text under the key ${CONFIG_MAP_KEY}`);
  const yaml = parsers.yaml(map.data.data[CONFIG_MAP_KEY]);
  if (!yaml.ok) return fault('', yaml.message);
  return yaml.value === null ? fault('', 'empty') : parseEraserConfig(yaml.value, parsers);
}

function fault(path: string, message: string): ParsedEraserConfig {
  return { ok: false, errors: [{ path, message }] };
}
