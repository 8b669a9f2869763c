import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { NEVER, workerPod } from '../../fakes/node-results.ts';
import type { OpenTestClusterHistory, TestClusterHistory } from '../../fakes/cluster-history-in-test.ts';

const POD = workerPod('node-1');

async function append(
  { history }: TestClusterHistory,
  sequence: number,
  lines: string[],
  { pod = POD, container = 'remover' } = {},
): Promise<void> {
  await history.logs.append(pod, { container, sequence, lines }, NEVER);
}

/** What containers of worker pods log. */
export function containerLogsContract(open: OpenTestClusterHistory): void {
  test('the log of a container is kept in its order', async () => {
    const it = await open();
    expect(await it.history.logs.position(POD, 'remover', NEVER)).toEqual({ pieces: 0, bytes: 0 });
    await append(it, 0, ['one', 'ä']);
    await append(it, 1, []);
    await append(it, 2, ['three']);
    expect(await it.history.logs.position(POD, 'remover', NEVER)).toEqual({ pieces: 3, bytes: 4 + 3 + 6 });
    expect(await it.history.readLogs(POD)).toEqual([
      { podName: 'worker-node-1', container: 'remover', lines: ['one', 'ä', 'three'], missingPieces: 0 },
    ]);
  });

  test('a piece that comes again is there once, and one that leaves a gap is not taken', async () => {
    const it = await open();
    await append(it, 0, ['one']);
    await append(it, 0, ['one']);
    await expect(append(it, 2, ['three'])).rejects.toMatchObject({ code: 'log-gap', action: 'retry' });
    expect(await it.history.logs.position(POD, 'remover', NEVER)).toEqual({ pieces: 1, bytes: 4 });
  });

  test('each pod and container has its own', async () => {
    const it = await open();
    await Promise.all([
      append(it, 0, ['remover']),
      append(it, 0, ['collector'], { container: 'collector' }),
      append(it, 0, ['again'], { pod: { ...POD, podUid: 'second', podName: 'worker-2' } }),
      append(it, 0, ['other run'], { pod: workerPod('node-1', 'job-2') }),
      append(it, 0, ['other node'], { pod: workerPod('node-2') }),
    ]);
    const read = async (pod: typeof POD): Promise<string[]> =>
      (await it.history.readLogs(pod)).map(({ podName, container, lines }) => `${podName} ${container}: ${lines.join()}`).sort();
    expect(await read(POD)).toEqual(['worker-2 remover: again', 'worker-node-1 collector: collector', 'worker-node-1 remover: remover']);
    expect(await read(workerPod('node-2'))).toEqual(['worker-node-2 remover: other node']);
  });

  test('all logs together have so many bytes: the oldest pieces go, and are not taken again', async () => {
    const it = await open({ maxLogBytes: 10_000 });
    const line = (): string => randomBytes(750).toString('base64');
    for (let sequence = 0; sequence < 20; sequence += 1) await append(it, sequence, [`${sequence} ${line()}`]);
    const [kept] = await it.query('SELECT (SELECT bytes FROM log_size) AS told, (SELECT sum(length(packed)) FROM log_piece) AS real');
    const [told, real] = [Number(kept?.['told']), Number(kept?.['real'])];
    expect(told).toBe(real);
    expect(told).toBeLessThanOrEqual(10_000);
    expect(told).toBeGreaterThan(8_000);
    const [log] = await it.history.readLogs(POD);
    expect(log?.lines.map((text) => Number.parseInt(text, 10))).toEqual(
      Array.from({ length: 20 }, (_, at) => at).slice(log?.missingPieces),
    );
    expect(log?.missingPieces).toBeGreaterThan(5);
    expect(await it.history.logs.position(POD, 'remover', NEVER)).toMatchObject({ pieces: 20 });
    await append(it, 0, ['again']);
    expect((await it.history.readLogs(POD))[0]?.missingPieces).toBe(log?.missingPieces);
  });

  test('a damaged piece hides no other', async () => {
    const it = await open();
    await append(it, 0, ['one']);
    await append(it, 1, ['two']);
    await it.query('UPDATE log_piece SET packed = substr(packed, 2) WHERE sequence = 0');
    expect(await it.history.readLogs(POD)).toMatchObject([{ lines: ['two'], missingPieces: 1 }]);
  });
}
