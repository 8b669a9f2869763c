import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Postgres } from '../../lab/postgres.ts';

/** Where the managers of a run have their history. */
export interface RunHistory extends AsyncDisposable {
  /** By which a manager finds it. */
  readonly flags: readonly string[];
  /** The only value of the only row. */
  readonly count: (query: string) => Promise<number>;
}

/** In a file of that folder, which is removed with it. */
export function historyInFile(folder: string): RunHistory {
  const path = join(folder, 'history.db');
  return {
    flags: [`--history=${path}`],
    count: (query) => Promise.resolve(countIn(path, query)),
    [Symbol.asyncDispose]: () => {
      for (const more of ['', '-wal', '-shm']) rmSync(`${path}${more}`, { force: true });
      return Promise.resolve();
    },
  };
}

function countIn(path: string, query: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return valueOf(database.prepare(query).get());
  } finally {
    database.close();
  }
}

function valueOf(row: Record<string, unknown> | undefined): number {
  const value = Number(Object.values(row ?? {})[0]);
  if (Number.isNaN(value)) throw new Error(`no number: ${JSON.stringify(row)}`);
  return value;
}

export interface HistoryOnDisk extends RunHistory {
  /** Until not one block is left. */
  readonly fill: () => void;
  readonly free: () => void;
}

const DISK = '64m';

/** In a file on a disk of its own. */
export function historyOnOwnDisk(folder: string): HistoryOnDisk {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=0700`, 'tmpfs', disk]);
  const filler = join(disk, 'filler');
  return {
    ...historyInFile(disk),
    fill: () => {
      const file = openSync(filler, 'a');
      try {
        for (;;) writeSync(file, Buffer.alloc(4_096));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => {
      rmSync(filler);
    },
    [Symbol.asyncDispose]: () => {
      execFileSync('umount', ['--lazy', disk]);
      rmSync(disk, { recursive: true });
      return Promise.resolve();
    },
  };
}

let databases = 0;

/** In a database of its own. */
export async function historyInPostgres(server: Postgres, folder: string): Promise<RunHistory> {
  const name = `run_${String((databases += 1))}`;
  await server.query(`CREATE DATABASE ${name}`);
  const passwordFile = join(folder, 'postgres-password');
  writeFileSync(passwordFile, server.password, { mode: 0o600 });
  const url = `postgres://${server.user}@${server.host}:${String(server.port)}/${name}?sslrootcert=${server.authority.certificate}`;
  return {
    flags: [`--history=${url}`, `--history-password-file=${passwordFile}`],
    count: async (query) => valueOf((await server.query(query, name))[0]),
    [Symbol.asyncDispose]: async () => {
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}
