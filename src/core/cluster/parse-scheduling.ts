import { scheduleOf, type EraserConfig } from '../../api/eraser-config.ts';
import type { Parsed, Problem } from '../../api/problem.ts';
import { parseCron, type ParsedCron, type Schedule } from '../schedule.ts';
import type { MaintenanceWindow } from './maintenance-window.ts';

/** `manager.scheduling`, ready to be asked. */
export interface Scheduling {
  /** null: there are no automatic runs. */
  readonly schedule: Schedule | null;
  /** null: they begin at any time. */
  readonly window: MaintenanceWindow | null;
}

/** A shorter interval would only heat the cluster. */
const SHORTEST_INTERVAL_MS = 1_000;

/** Checks the expressions also when there are no automatic runs: a fault is better told before it counts. */
export function parseScheduling(config: EraserConfig): Parsed<Scheduling> {
  const { cron, timeZone, maintenanceWindow } = config.manager.scheduling;
  const errors: Problem[] = [];
  const parse = (key: string, text: string): (ParsedCron & { readonly ok: true }) | null => {
    const parsed = parseCron(text, timeZone);
    if (parsed.ok) return parsed;
    errors.push({ path: `manager.scheduling.${key}`, message: `"${text}", ${timeZone}, cannot be used: ${parsed.message}` });
    return null;
  };
  const parsedCron = cron === null ? null : parse('cron', cron);
  const opens = maintenanceWindow === null ? null : parse('maintenanceWindow.opens', maintenanceWindow.opens);
  if (errors.length > 0) return { ok: false, errors };
  const window = maintenanceWindow === null || opens === null ? null : { opens: opens.schedule, lengthMs: maintenanceWindow.length };
  return { ok: true, value: { schedule: scheduleIn(config, parsedCron?.schedule ?? null), window } };
}

function scheduleIn(config: EraserConfig, cron: Schedule | null): Schedule | null {
  const configured = scheduleOf(config);
  if (configured === null || configured.kind === 'cron') return configured === null ? null : cron;
  return { ...configured, intervalMs: Math.max(configured.intervalMs, SHORTEST_INTERVAL_MS) };
}
