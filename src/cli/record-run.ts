import type { RunEnd, RunRecord, RunStart } from '../api/run-record.ts';
import type { ScannerInfo } from '../api/scan-report.ts';
import { imageKeys } from '../core/names.ts';
import type { RemovalPlan } from '../core/plan-removal.ts';
import type { CarriedOutPlan } from '../engine/clean-node.ts';
import type { OnEvent } from '../engine/events.ts';
import type { NodeRuntime, RemovalJournal } from '../engine/ports.ts';
import { summariseRemovals } from '../engine/summarise-run.ts';
import { errorMessage } from '../platform/errors.ts';
import { AuditLog, type AuditEntry } from '../store/audit-log.ts';
import type { History, RunWriter } from '../store/history.ts';
import { HistoryError } from '../store/history-error.ts';
import { auditedRecord, auditedRemoval } from './audited-removal.ts';
import type { CliContext } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { exitCodeOf } from './exit-code-of.ts';

/** A run as it goes on record. */
export interface RecordedRun {
  readonly onEvent: OnEvent;
  readonly journal: RemovalJournal;
  /**
   * Finds out what became of the removals of runs that were killed, by what the runtime has now. Those that no audit log has yet, also of runs
   * that were settled by one without an audit log, are in this run's now.
   */
  settleKilledRuns(runtime: NodeRuntime, signal: AbortSignal): Promise<SettledRuns>;
  /** The whole plan, on record before the first removal. */
  planned(plan: RemovalPlan): Promise<void>;
  carriedOut(plan: RemovalPlan, done: CarriedOutPlan): void;
  /** Why nothing is carried out. */
  note(message: string): void;
}

export interface SettledRuns {
  readonly settled: readonly RunRecord[];
  /** What there was no space to write down: a later run finds it out, and this one may make the space. */
  readonly unsettled: readonly UnsettledRun[];
}

export interface UnsettledRun {
  readonly run: RunRecord;
  readonly openRemovals: number;
  readonly because: HistoryError;
}

/** Of the process: what its record names. */
export type RecordContext = Pick<CliContext, 'now' | 'version' | 'env' | 'commandLine' | 'signal'> & {
  readonly machine: Pick<CliContext['machine'], 'userId' | 'pid' | 'hostName'>;
};

export interface RecordRunOptions {
  /** A file that gets a line for each removal; undefined: none does. */
  readonly auditLog: string | undefined;
  /** null: nothing is remembered. */
  readonly history: History | null;
  readonly runtimeEndpoint: string;
  readonly mode: RunStart['mode'];
  readonly retention: { readonly maxAgeMs: number; readonly maxBytes: number };
}

/**
 * Puts a run on record from its beginning to its end, whatever that is; no other run of this history goes on meanwhile.
 * @throws HistoryError `locked` when another does.
 */
export async function recordRun(
  context: RecordContext,
  options: RecordRunOptions,
  work: (run: RecordedRun) => Promise<ExitCode>,
): Promise<ExitCode> {
  const start = startOf(context, options);
  const lock = (await options.history?.lockRuns(start)) ?? null;
  let auditLog: AuditLog | null = null;
  try {
    auditLog = options.auditLog === undefined ? null : new AuditLog({ path: options.auditLog, now: context.now });
    const code = await recordWork(context, { ...options, auditLog, start }, work);
    auditLog?.close();
    auditLog = null;
    await options.history?.prune(options.retention);
    return code;
  } finally {
    // After a fault of the run: its own error is what its user has to know.
    if (auditLog !== null) closeQuietly(auditLog);
    lock?.release();
  }
}

async function recordWork(
  context: RecordContext,
  { history, auditLog, start }: Pick<RecordRunOptions, 'history'> & { readonly auditLog: AuditLog | null; readonly start: RunStart },
  work: (run: RecordedRun) => Promise<ExitCode>,
): Promise<ExitCode> {
  const writer = (await history?.beginRun(start)) ?? null;
  const record = new RunOnRecord({ writer, history, auditLog, now: context.now, start });
  let code: ExitCode;
  try {
    code = await work(record);
  } catch (error) {
    // The error of the run is what its user has to know; that of its record would hide it.
    await record.end(exitCodeOf(error, context.signal), errorMessage(error)).catch(() => undefined);
    throw error;
  }
  await record.end(code, null);
  return code;
}

function isFull(error: unknown): error is HistoryError {
  return error instanceof HistoryError && error.code === 'full';
}

function closeQuietly(auditLog: AuditLog): void {
  try {
    auditLog.close();
  } catch {
    // Told by the error on its way.
  }
}

interface RecordParts {
  /** Both null: this run goes on no record but the audit log. */
  readonly writer: RunWriter | null;
  readonly history: History | null;
  readonly auditLog: AuditLog | null;
  readonly now: () => number;
  readonly start: RunStart;
}

class RunOnRecord implements RecordedRun {
  readonly journal: RemovalJournal;
  readonly #parts: RecordParts;
  #plan: RemovalPlan | null = null;
  #message: string | null = null;
  #done: CarriedOutPlan | null = null;
  #scanner: ScannerInfo | null = null;
  #scanned = 0;
  #verdictsReused = 0;

  constructor(parts: RecordParts) {
    this.#parts = parts;
    const { writer, start } = parts;
    this.journal = {
      removalBegan: async (decision) => writer?.removalBegan(decision),
      removalEnded: async (removal) => {
        // First, since it does not fail: whatever becomes of the history, a removal is in the audit log.
        this.#audit({ runId: writer?.runId ?? null, host: start.host, user: start.user, settled: false, ...auditedRemoval(removal) });
        await writer?.removalEnded(removal);
      },
    };
  }

  async settleKilledRuns(runtime: NodeRuntime, signal: AbortSignal): Promise<SettledRuns> {
    const { writer, history, start } = this.#parts;
    const [settled, unsettled]: [RunRecord[], UnsettledRun[]] = [[], []];
    if (writer === null || history === null) return { settled, unsettled };
    // What another runtime has tells nothing of this one's images.
    const killed = (await history.unfinishedRuns()).filter(({ run }) => run.runtimeEndpoint === start.runtimeEndpoint);
    const present = new Set(killed.length === 0 ? [] : (await runtime.listImages(signal)).map(({ id }) => id));
    for (const { run, open } of killed) {
      try {
        settled.push(await history.settleKilledRun(run.id, present, this.#parts.now()));
      } catch (error) {
        if (!isFull(error)) throw error;
        unsettled.push({ run, openRemovals: open.length, because: error });
      }
    }
    await this.#auditSettled(history);
    return { settled, unsettled };
  }

  /** Marked only once they are on the disk: rather twice in an audit log than never. */
  async #auditSettled(history: History): Promise<void> {
    const { auditLog } = this.#parts;
    if (auditLog === null) return;
    for (const { run, removals } of await history.unauditedRuns()) {
      const { id: runId, host, user } = run;
      for (const removal of removals) this.#audit({ runId, host, user, settled: true, ...auditedRecord(removal) });
      if (!auditLog.sync()) return;
      await history.markAudited(runId).catch((error: unknown) => {
        if (!isFull(error)) throw error;
      });
    }
  }

  #audit(entry: Omit<AuditEntry, 'at'>): void {
    const { auditLog, now } = this.#parts;
    auditLog?.append({ at: now(), ...entry });
  }

  readonly onEvent: OnEvent = (event) => {
    if (event.kind === 'verdicts-known' || event.kind === 'scan-started') this.#scanner = event.scanner;
    if (event.kind === 'verdicts-known') this.#verdictsReused += event.reused + event.evaluated;
    if (event.kind === 'image-scanned' && event.result.kind === 'scanned') this.#scanned += 1;
  };

  async planned(plan: RemovalPlan): Promise<void> {
    this.#plan = plan;
    const { runtime } = plan.facts.input.inventory;
    await this.#parts.writer?.planned({ runtime, scanner: this.#scanner, decisions: plan.decisions, namesOf: imageKeys });
  }

  note(message: string): void {
    this.#message = message;
  }

  carriedOut(plan: RemovalPlan, done: CarriedOutPlan): void {
    this.#plan = plan;
    this.#done = done;
  }

  async end(code: ExitCode, message: string | null): Promise<void> {
    const removals = this.#done?.removals ?? [];
    const scans = { scanned: this.#scanned, verdictsReused: this.#verdictsReused };
    const planned = this.#plan === null ? null : summariseRemovals(this.#plan, removals);
    // A plan that was not carried out: none of its removals was attempted.
    const summary = planned !== null && this.#done === null ? { ...planned, notAttempted: planned.remove } : planned;
    await this.#parts.writer?.end({
      endedAt: this.#parts.now(),
      state: STATES[code],
      message: message ?? this.#message,
      summary: summary === null ? null : { ...summary, ...scans },
      filesystem: this.#done?.filesystem ?? null,
      reclaimedBytes: new Map(removals.map(({ decision, reclaimedBytes }) => [decision.image.id, reclaimedBytes])),
    });
  }
}

const STATES: Readonly<Record<ExitCode, RunEnd['state']>> = {
  [EXIT.done]: 'completed',
  [EXIT.failed]: 'failed',
  [EXIT.badUsage]: 'refused',
  [EXIT.refused]: 'refused',
  [EXIT.interrupted]: 'interrupted',
};

function startOf({ now, version, machine, env, commandLine }: RecordContext, { runtimeEndpoint, mode }: RecordRunOptions): RunStart {
  const user = env['SUDO_USER'] ?? env['LOGNAME'] ?? env['USER'] ?? `uid ${String(machine.userId)}`;
  return { startedAt: now(), mode, version, pid: machine.pid, host: machine.hostName, user, runtimeEndpoint, command: commandLine };
}
