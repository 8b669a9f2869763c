import type { TextParsers } from '../api/eraser-config/config-values.ts';
import type { Problem } from '../api/problem.ts';
import { acceptConfiguration, type JudgedConfiguration } from '../core/cluster/accept-configuration.ts';
import { parseDuration } from '../platform/duration.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { ClusterError } from './cluster-error.ts';

const PARSERS: TextParsers = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };
/** Which image is run makes no difference to whether a configuration can be used. */
const OWN = { image: 'image-cleaner', command: [] };

/** As the manager would judge it. */
export function judgeConfiguration(text: string): JudgedConfiguration {
  return acceptConfiguration(text, PARSERS, { collector: OWN, scanner: OWN, remover: OWN });
}

/** @throws ClusterError `bad-value` with each fault in a line. */
export function requireUsable(name: string, text: string): Extract<JudgedConfiguration, { readonly ok: true }> {
  const judged = judgeConfiguration(text);
  if (judged.ok) return judged;
  throw new ClusterError({
    code: 'bad-value',
    message: `${name} cannot be used:\n${formatFaults(judged.errors)}`,
    hint: 'Every key is described in docs/reference/eraserconfig.md.',
  });
}

const MOST_SHOWN = 20;

export function formatFaults(faults: readonly Problem[]): string {
  const lines = faults.slice(0, MOST_SHOWN).map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`);
  return [...lines, ...(faults.length > MOST_SHOWN ? [`  and ${faults.length - MOST_SHOWN} more`] : [])].join('\n');
}
