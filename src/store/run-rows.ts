import * as z from 'zod';
import { keepReasonSchema, removeReasonSchema } from '../api/reason-schemas.ts';
import type { DecisionRecord, NodeOfRun, RemovalRecord, RunRecord } from '../api/run-record.ts';
import { scannerInfoSchema } from '../api/scan-report-schemas.ts';
import { historyError } from './history-error.ts';
import { parseJson, readStoredJson } from './pack.ts';
import {
  filesystemSchema,
  removalStateSchema,
  runModeSchema,
  runStateSchema,
  runtimeSchema,
  summarySchema,
  textsSchema,
} from './row-schemas.ts';
import type { JobTable, NodeRunTable, RunTable } from './tables.ts';

/** Makes records of rows. @throws HistoryError `corrupt` when a row does not hold what was written there. */
export class RowReader {
  readonly #historyName: string;

  constructor(historyName: string) {
    this.#historyName = historyName;
  }

  run(row: RunRow): RunRecord {
    const where = `run ${row.id}`;
    const node = nodeOf(row);
    return {
      ...(node === null ? {} : { node }),
      id: row.id,
      startedAt: row.started_at,
      endedAt: row.ended_at,
      state: this.#parse(runStateSchema, row.state, where),
      mode: this.#parse(runModeSchema, row.mode, where),
      version: row.version,
      pid: row.pid,
      host: row.host,
      user: row.asked_by,
      runtimeEndpoint: row.runtime_endpoint,
      command: this.#parse(textsSchema, parseJson(row.command), where),
      message: row.message,
      runtime: this.#orNull(runtimeSchema, row.runtime, where),
      scanner: this.#orNull(scannerInfoSchema, row.scanner, where),
      summary: this.#orNull(summarySchema, row.summary, where),
      filesystem: this.#orNull(filesystemSchema, row.filesystem, where),
    };
  }

  decision(row: DecisionRow): DecisionRecord {
    const where = `the decision of run ${row.run_id} on ${row.image_id}`;
    const reason = readStoredJson({ json: row.reason_json, packed: row.reason_packed });
    return {
      runId: row.run_id,
      imageId: row.image_id,
      repoTags: this.#parse(textsSchema, parseJson(row.repo_tags), where),
      repoDigests: this.#parse(textsSchema, parseJson(row.repo_digests), where),
      sizeBytes: row.size_bytes,
      estimatedBytes: row.estimated_bytes,
      ruling: rulingOf(row, reason),
      removal: this.#removal(row, where),
    };
  }

  #removal(row: DecisionRow, where: string): RemovalRecord | null {
    if (row.removal_state === null) return null;
    return {
      state: this.#parse(removalStateSchema, row.removal_state, where),
      at: row.removal_at,
      message: row.removal_message,
      // The state says that it was kept; one word more is no reason to show none of the run.
      keptBy: row.kept_by === null ? null : (keepReasonSchema.safeParse(parseJson(row.kept_by)).data ?? null),
      reclaimedBytes: row.reclaimed_bytes,
    };
  }

  #orNull<T>(schema: z.ZodType<T>, json: string | null, where: string): T | null {
    return json === null ? null : this.#parse(schema, parseJson(json), where);
  }

  #parse<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw historyError(
      'corrupt',
      `the history ${this.#historyName} is damaged: ${where} cannot be read (${z.prettifyError(parsed.error)})`,
    );
  }
}

function nodeOf({ node, job_uid, job_name, recorded_at, omitted_findings }: RunRow): NodeOfRun | null {
  if (node === null || job_uid === null || recorded_at === null || omitted_findings === null) return null;
  return { name: node, job: { uid: job_uid, name: job_name }, recordedAt: recorded_at, omittedFindings: omitted_findings };
}

/** One reason that cannot be read hides no other decision of its run. */
function rulingOf({ outcome, reason_code }: DecisionRow, reason: unknown): DecisionRecord['ruling'] {
  const unreadable = { code: 'unreadable', recordedCode: reason_code } as const;
  if (outcome === 'keep') return { outcome: 'keep', reason: keepReasonSchema.safeParse(reason).data ?? unreadable };
  return { outcome: 'remove', reason: removeReasonSchema.safeParse(reason).data ?? unreadable };
}

/** A run; with what makes it one of a node, or null for all of that. */
export interface RunRow extends RunTable, Nullable<Pick<NodeRunTable, 'node' | 'recorded_at' | 'omitted_findings'>> {
  readonly job_uid: JobTable['uid'] | null;
  readonly job_name: JobTable['name'];
}

type Nullable<Row> = { readonly [Column in keyof Row]: Row[Column] | null };

/** A decision with what it refers to. */
export interface DecisionRow {
  readonly run_id: number;
  readonly image_id: string;
  readonly repo_tags: string;
  readonly repo_digests: string;
  readonly size_bytes: number;
  readonly outcome: string;
  readonly reason_code: string;
  readonly reason_json: string | null;
  readonly reason_packed: Uint8Array | null;
  readonly estimated_bytes: number;
  readonly removal_state: string | null;
  readonly removal_at: number | null;
  readonly removal_message: string | null;
  readonly kept_by: string | null;
  readonly reclaimed_bytes: number;
}
