import { describe, expect, test } from 'vitest';
import { decodeTrivyCalls, MOST_TRIVY_CALLS, TRIVY_CALLS_TYPE, TRIVY_VERSION_HEADER } from '../api/coordinator/trivy-calls.ts';
import { judgeTogether } from './judge-together.ts';
import type { JudgeAtOnce, ReadImage } from './judging-server.ts';
import type { Post, RpcAnswer, RpcClient } from './rpc-client.ts';
import { scannerFault } from './scanner-fault.ts';

const { signal } = new AbortController();
const REFUSED: RpcAnswer = { kind: 'refused', status: 500, code: 'internal', message: 'no such layer', body: Buffer.alloc(0) };

function imageOf(...keys: string[]): ReadImage {
  const parts = new Map(keys.map((key) => [key, Buffer.from(key)] as const));
  return { parts, putArtifact: Buffer.from('artifact'), scan: Buffer.from('scan') };
}

interface Beside {
  readonly mostBytes?: number;
  /** By the bodies that came before: 0 for the first. */
  readonly answer?: (at: number) => RpcAnswer;
  readonly version?: string | null;
}

/** What the server was sent: of each body, what each call holds. */
function start({ mostBytes = 1_000, answer, version = '2026-01-01T00:00:00Z' }: Beside = {}): { sent: string[][]; judge: JudgeAtOnce } {
  const sent: string[][] = [];
  const page = JSON.stringify({ Version: '0.74.0', VulnerabilityDB: { UpdatedAt: version } });
  const client = {
    server: { base: new URL('https://coordinator/'), name: 'cluster' },
    post: ({ path, type, body }: Post) => {
      expect([path, type]).toEqual(['calls', TRIVY_CALLS_TYPE]);
      sent.push((decodeTrivyCalls(Buffer.from(body)) ?? []).map((call) => Buffer.from(call.body).toString()));
      const headers = version === null ? {} : { [TRIVY_VERSION_HEADER]: Buffer.from(page).toString('base64') };
      return Promise.resolve({ answer: answer?.(sent.length - 1) ?? { kind: 'answered', body: Buffer.from('verdict') }, headers });
    },
  };
  const judge = judgeTogether(client as unknown as RpcClient, { path: 'calls', mostBytes }, ({ databaseUpdatedAt }) => {
    if (databaseUpdatedAt !== '2026-01-01T00:00:00.000Z') throw scannerFault('database-changed', 'another database');
  });
  return { sent, judge };
}

describe('an image that is judged by one call', () => {
  test('all goes together, and no layer twice', async () => {
    const { sent, judge } = start();
    expect(await judge(imageOf('base', 'a'), signal)).toEqual({ kind: 'answered', body: Buffer.from('verdict') });
    await judge(imageOf('base', 'b'), signal);
    expect(sent).toEqual([
      ['base', 'a', 'artifact', 'scan'],
      ['b', 'artifact', 'scan'],
    ]);
  });

  test('in several bodies where one would be too large; a call that is larger alone goes by itself', async () => {
    const { sent, judge } = start({ mostBytes: 30 });
    expect(await judge(imageOf('one', 'x'.repeat(100), 'two', 'three'), signal)).toMatchObject({ kind: 'answered' });
    expect(sent).toEqual([['one'], ['x'.repeat(100)], ['two', 'three'], ['artifact', 'scan']]);
  });

  test('in several bodies where there are too many layers for one', async () => {
    const { sent, judge } = start({ mostBytes: 100_000 });
    await judge(imageOf(...Array.from({ length: MOST_TRIVY_CALLS }, (_, at) => `layer ${at}`)), signal);
    expect(sent.map(({ length }) => length)).toEqual([MOST_TRIVY_CALLS, 2]);
  });

  test('a layer that the server has lost is sent again, with all others', async () => {
    const { sent, judge } = start({ answer: (at) => (at === 1 ? REFUSED : { kind: 'answered', body: Buffer.from('verdict') }) });
    await judge(imageOf('base'), signal);
    expect(await judge(imageOf('base', 'a'), signal)).toMatchObject({ kind: 'answered' });
    expect(sent.slice(1)).toEqual([
      ['a', 'artifact', 'scan'],
      ['base', 'a', 'artifact', 'scan'],
    ]);
  });

  test('a refusal is the answer: nothing that was to follow is sent, and nothing counts as given', async () => {
    const { sent, judge } = start({ mostBytes: 30, answer: () => REFUSED });
    for (let time = 0; time < 2; time += 1) expect(await judge(imageOf('x'.repeat(25)), signal)).toEqual(REFUSED);
    expect(sent).toEqual([['x'.repeat(25)], ['x'.repeat(25)]]);
  });

  test('a verdict by another database, or by none that is told, is none', async () => {
    const changed = start({ version: '2026-01-02T00:00:00Z' }).judge(imageOf('a'), signal);
    await expect(changed).rejects.toMatchObject({ code: 'database-changed' });
    await expect(start({ version: null }).judge(imageOf('a'), signal)).rejects.toMatchObject({ code: 'server-bad-answer' });
  });
});
