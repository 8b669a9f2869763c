import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { History } from '../../src/store/history.ts';
import { openHistory } from '../../src/store/open-history.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** The clocks of a machine, which the test moves. */
export class MachineClock {
  wallAt = Date.UTC(2026, 10, 1);
  uptimeMs = 10 * DAY;
  #boots = 1;

  /** Time goes by, for all clocks. */
  pass(ms: number): void {
    this.wallAt += ms;
    this.uptimeMs += ms;
  }

  /** Somebody, or a time server, sets the wall clock. */
  step(ms: number): void {
    this.wallAt += ms;
  }

  /** The machine is off for as long as its clock on the board says. */
  reboot(offMs: number): void {
    this.#boots += 1;
    this.wallAt += offMs;
    this.uptimeMs = 0;
  }

  readonly now = (): number => this.wallAt;
  readonly bootClock = (): { bootId: string; uptimeMs: number } => ({ bootId: `boot-${this.#boots}`, uptimeMs: this.uptimeMs });
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'image-cleaner-history-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestHistory {
  readonly history: History;
  readonly clock: MachineClock;
  readonly path: string;
  readonly warnings: string[];
}

/** A history in a folder of its own, or at a path. */
export async function openTestHistory(
  options: {
    readonly path?: string;
    readonly clock?: MachineClock;
    readonly readOnly?: boolean;
    readonly copyPlaces?: readonly string[];
  } = {},
): Promise<TestHistory> {
  const { path = join(temporaryFolder(), 'history.db'), clock = new MachineClock(), readOnly = false, copyPlaces = [] } = options;
  const warnings: string[] = [];
  const history = await openHistory({
    path,
    now: clock.now,
    bootClock: clock.bootClock,
    onWarning: (message) => warnings.push(message),
    ...(readOnly ? { reading: { copyPlaces } } : {}),
  });
  onTestFinished(() => history.close());
  return { history, clock, path, warnings };
}
