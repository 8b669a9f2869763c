import { CONFIG_MAP_KEY, parseEraserConfigMap } from '../../api/eraser-config/config-map.ts';
import type { TextParsers } from '../../api/eraser-config/config-values.ts';
import type { EraserConfig } from '../../api/eraser-config.ts';
import type { Parsed, Problem } from '../../api/problem.ts';
import { parseMaxFailed, type MaxFailed } from './max-failed.ts';
import { parseMaxParallel, type MaxParallel } from './max-parallel.ts';
import { parseNodeFilter, type NodeFilter } from './node-filter.ts';
import { parseScheduling, type Scheduling } from './parse-scheduling.ts';
import { resolveComponents, type ComponentNotice, type Components, type OwnContainers } from './resolve-components.ts';

/** A configuration that a run can go by. */
export interface AcceptedConfiguration {
  /** As it was written: what worker pods read. */
  readonly text: string;
  readonly config: EraserConfig;
  readonly components: Components;
  readonly nodeFilter: NodeFilter;
  readonly scheduling: Scheduling;
  /** null: not said. */
  readonly maxParallel: MaxParallel | null;
  /** null: not said. */
  readonly maxFailed: MaxFailed | null;
}

export type JudgedConfiguration =
  | {
      readonly ok: true;
      readonly accepted: AcceptedConfiguration;
      /** What the configuration asks for and does not get. */
      readonly warnings: readonly Problem[];
      readonly notices: readonly ComponentNotice[];
    }
  | { readonly ok: false; readonly errors: readonly Problem[] };

/** The state keeps the last good one beside other things, and a configmap has an end at 1 MiB. A long configuration is of 10 KiB. */
const MOST_BYTES = 256 * 1024;

/** As `acceptConfiguration`, by one and the same settings. */
export type AcceptConfiguration = (text: string) => JudgedConfiguration;

/** Of the configuration that is in force, and of that which a run has frozen. */
const MOST_REMEMBERED = 4;

/** The same texts are read again and again: that of a run is most often the one in force. */
export function rememberingConfigurations(accept: AcceptConfiguration): AcceptConfiguration {
  const judged = new Map<string, JudgedConfiguration>();
  return (text) => {
    const known = judged.get(text) ?? accept(text);
    judged.delete(text);
    judged.set(text, known);
    const [oldest] = judged.keys();
    if (judged.size > MOST_REMEMBERED && oldest !== undefined) judged.delete(oldest);
    return known;
  };
}

/** Reads the text of a configuration to its last consequence, so that a run finds nothing wrong in it later. */
export function acceptConfiguration(text: string, parsers: TextParsers, own: OwnContainers): JudgedConfiguration {
  const bytes = Buffer.byteLength(text);
  if (bytes > MOST_BYTES)
    return { ok: false, errors: [{ path: CONFIG_MAP_KEY, message: `is ${bytes} bytes long: at most ${MOST_BYTES}` }] };
  const parsed = parseEraserConfigMap({ data: { [CONFIG_MAP_KEY]: text } }, parsers);
  if (!parsed.ok) return parsed;
  const { config } = parsed;
  const filter = parseNodeFilter(config.manager.nodeFilter);
  const scheduling = parseScheduling(config);
  const maxParallel = readMaxParallel(config);
  const maxFailed = readMaxFailed(config);
  const resolved = resolveComponents(config, own);
  if (!filter.ok || !scheduling.ok || !maxParallel.ok || !maxFailed.ok || !resolved.ok) {
    const all = [filter, scheduling, maxParallel, maxFailed, resolved];
    return { ok: false, errors: all.flatMap((part) => (part.ok ? [] : part.errors)) };
  }
  const parts = { nodeFilter: filter.value, scheduling: scheduling.value, maxParallel: maxParallel.value, maxFailed: maxFailed.value };
  return {
    ok: true,
    accepted: { text, config, components: resolved.components, ...parts },
    warnings: parsed.warnings,
    notices: resolved.notices,
  };
}

function readMaxParallel({ manager: { imageJob } }: EraserConfig): Parsed<MaxParallel | null> {
  if (imageJob.maxParallel === null) return { ok: true, value: null };
  const parsed = parseMaxParallel(imageJob.maxParallel);
  if (parsed.ok) return { ok: true, value: parsed.maxParallel };
  return { ok: false, errors: [{ path: 'manager.imageJob.maxParallel', message: parsed.message }] };
}

function readMaxFailed({ manager: { imageJob } }: EraserConfig): Parsed<MaxFailed | null> {
  if (imageJob.maxFailed === null) return { ok: true, value: null };
  return parseMaxFailed(imageJob.maxFailed, 'manager.imageJob.maxFailed');
}
