import * as z from 'zod';
import { CONFIG_MAP_KEY } from '../api/eraser-config/config-map.ts';
import { parseYaml } from '../platform/parse-yaml.ts';

const configMapSchema = z.object({ kind: z.literal('ConfigMap'), data: z.object({ [CONFIG_MAP_KEY]: z.string() }) });

/** The text of a configuration, also out of the ConfigMap that holds it, as `kubectl get -o yaml` prints it. */
export function extractConfiguration(text: string): string {
  const parsed = parseYaml(text);
  const map = parsed.ok ? configMapSchema.safeParse(parsed.value).data : undefined;
  return map?.data[CONFIG_MAP_KEY] ?? text;
}
