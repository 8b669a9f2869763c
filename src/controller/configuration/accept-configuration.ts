import { CONFIG_MAP_KEY, parseEraserConfigMap } from '../../api/eraser-config/config-map.ts';
import type { TextParsers } from '../../api/eraser-config/config-values.ts';
import type { EraserConfig } from '../../api/eraser-config.ts';
import type { Problem } from '../../api/problem.ts';
import { parseNodeFilter, type NodeFilter } from '../../core/cluster/node-filter.ts';
import { resolveComponents, type ComponentNotice, type Components, type OwnContainers } from '../../core/cluster/resolve-components.ts';

/** A configuration that a run can go by. */
export interface AcceptedConfiguration {
  /** As it was written: what worker pods read. */
  readonly text: string;
  readonly config: EraserConfig;
  readonly components: Components;
  readonly nodeFilter: NodeFilter;
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

/** Reads the text of a configuration to its last consequence, so that a run finds nothing wrong in it later. */
export function acceptConfiguration(text: string, parsers: TextParsers, own: OwnContainers): JudgedConfiguration {
  const parsed = parseEraserConfigMap({ data: { [CONFIG_MAP_KEY]: text } }, parsers);
  if (!parsed.ok) return parsed;
  const filter = parseNodeFilter(parsed.config.manager.nodeFilter);
  const resolved = resolveComponents(parsed.config, own);
  const errors = [...(filter.ok ? [] : filter.errors), ...(resolved.ok ? [] : resolved.errors)];
  if (!filter.ok || !resolved.ok) return { ok: false, errors };
  const accepted = { text, config: parsed.config, components: resolved.components, nodeFilter: filter.value };
  return { ok: true, accepted, warnings: parsed.warnings, notices: resolved.notices };
}
