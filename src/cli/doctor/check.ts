/**
 * What came of a check. `problem`: runs that remove images would fail or do harm, or what is on record of them cannot be relied on. `warning`:
 * they work, but less well than they could. `skipped`: it cannot be told, or is not needed with these options.
 */
export const CHECK_STATUSES = ['ok', 'warning', 'problem', 'skipped'] as const;
export type CheckStatus = (typeof CHECK_STATUSES)[number];

export interface Finding {
  readonly status: CheckStatus;
  /** A sentence or two. */
  readonly found: string;
  /** What to do, as sentences; null: nothing. */
  readonly advice: string | null;
}

export interface Check extends Finding {
  /** `vulnerability-database`: does not change from version to version. */
  readonly id: string;
}

export function checkOf(id: string, finding: Finding): Check {
  return { id, ...finding };
}

export function ok(found: string): Finding {
  return { status: 'ok', found, advice: null };
}

export function warning(found: string, advice: string): Finding {
  return { status: 'warning', found, advice };
}

export function problem(found: string, advice: string): Finding {
  return { status: 'problem', found, advice };
}

export function skipped(found: string, advice: string | null = null): Finding {
  return { status: 'skipped', found, advice };
}
