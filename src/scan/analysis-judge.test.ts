import { describe, expect, onTestFinished, test } from 'vitest';
import { JudgingServerInTest, readOf, type Misbehaviour } from '../../test/fakes/judging-server.ts';
import { createAnalysisJudge, type AnalysisJudge, type AnalysisJudgeOptions } from './analysis-judge.ts';
import { RPC } from './trivy-rpc.ts';

const { signal } = new AbortController();

function judgeAt(url: string, options: Partial<AnalysisJudgeOptions> = {}): AnalysisJudge {
  const judge = createAnalysisJudge({ url, name: 'cluster', timeoutMs: 5_000, now: () => 0, onGivenUp: () => undefined, ...options });
  onTestFinished(() => judge.close());
  return judge;
}

describe('a judge of analyses', () => {
  test('says what the database of now has of each, and by which', async () => {
    const server = new JudgingServerInTest();
    const judge = judgeAt(await server.start());
    const [first, second] = await judge.judge([readOf('sha256:a'), readOf('sha256:b')], signal);
    expect([first?.imageId, second?.imageId]).toEqual(['sha256:a', 'sha256:b']);
    expect(first?.findings.map(({ id }) => id)).toEqual(['CVE of 2026-01-01T00:00:00Z']);
    expect(first?.scanner).toEqual(await judge.scanner(signal));
    expect(first?.scanner).toMatchObject({ databaseUpdatedAt: '2026-01-01T00:00:00.000Z', version: '0.74.0' });
  });

  test('a database that is loaded in the middle: all are judged by it', async () => {
    const server = new JudgingServerInTest();
    const judge = judgeAt(await server.start());
    server.before = (path) => {
      if (path === RPC.scan && server.count(RPC.scan) === 2) server.database = '2026-01-02T00:00:00Z';
    };
    const reports = await judge.judge([readOf('sha256:a'), readOf('sha256:b')], signal);
    for (const report of reports) {
      expect(report?.scanner.databaseUpdatedAt).toBe('2026-01-02T00:00:00.000Z');
      expect(report?.findings.map(({ id }) => id)).toEqual(['CVE of 2026-01-02T00:00:00Z']);
    }
  });

  test('one that changes all the time is a fault that may pass', async () => {
    const server = new JudgingServerInTest();
    const judge = judgeAt(await server.start());
    let days = 1;
    server.before = (path) => {
      if (path === RPC.scan) server.database = `2026-01-0${String((days += 1))}T00:00:00Z`;
    };
    await expect(judge.judge([readOf('sha256:a')], signal)).rejects.toMatchObject({ code: 'database-changed', action: 'retry' });
  });

  test('what the server has it is not told again; what it needs no more it is told to forget', async () => {
    const server = new JudgingServerInTest();
    const judge = judgeAt(await server.start());
    await judge.judge([readOf('sha256:a')], signal);
    await judge.judge([readOf('sha256:a')], signal);
    expect(server.count(RPC.putBlob)).toBe(1);
    await judge.judge([readOf('sha256:large', 33 * 1024 * 1024)], signal);
    await judge.judge([readOf('sha256:b')], signal);
    expect([...server.stored]).toEqual(['layer of sha256:b']);
  });

  test.each([
    ['of another version than the others', { ...readOf('sha256:b'), scannerVersion: '0.75.0' }],
    ['that is garbled', { ...readOf('sha256:b'), recipe: Buffer.from('x') }],
    ['that lacks a part', { ...readOf('sha256:b'), parts: [] }],
  ])('one %s is of no use; the others are judged', async (_, useless) => {
    const judge = judgeAt(await new JudgingServerInTest().start());
    const [first, second] = await judge.judge([readOf('sha256:a'), useless], signal);
    expect([first?.imageId, second]).toEqual(['sha256:a', null]);
  });

  test('what another version has read is judged as read by that', async () => {
    const judge = judgeAt(await new JudgingServerInTest().start());
    const [report] = await judge.judge([{ ...readOf('sha256:a'), scannerVersion: '0.73.0' }], signal);
    expect(report?.scanner.version).toBe('0.73.0');
  });

  test('a server that is away is a fault that may pass', async () => {
    const judge = judgeAt('http://127.0.0.1:1');
    await expect(judge.judge([readOf('sha256:a')], signal)).rejects.toMatchObject({ code: 'server-unreachable', action: 'retry' });
    await expect(judge.scanner(signal)).rejects.toMatchObject({ code: 'server-unreachable' });
  });
});

describe('an image that the server gives no verdict on', () => {
  const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((name) => readOf(`sha256:${name}`)) as [
    ReturnType<typeof readOf>,
    ReturnType<typeof readOf>,
    ReturnType<typeof readOf>,
    ReturnType<typeof readOf>,
  ];

  function start(): {
    readonly server: JudgingServerInTest;
    readonly givenUp: string[];
    readonly judging: Promise<AnalysisJudge>;
    readonly clock: { now: number };
  } {
    const server = new JudgingServerInTest();
    const givenUp: string[] = [];
    const clock = { now: 0 };
    const options = { timeoutMs: 500, now: () => clock.now, onGivenUp: (id: string) => givenUp.push(id) };
    return { server, givenUp, clock, judging: server.start().then((url) => judgeAt(url, options)) };
  }
  const idsOf = (reports: readonly ({ readonly imageId: string } | null)[]): (string | null)[] =>
    reports.map((report) => report?.imageId ?? null);

  test.each<Misbehaviour>(['hangs', 'breaks off', 'garbles'])(
    'costs the others nothing, and is asked for no more: one it %s on',
    async (how) => {
      const { server, givenUp, judging } = start();
      const judge = await judging;
      server.bad.set(B.imageId, how);
      expect(idsOf(await judge.judge([A, B, C], signal))).toEqual([A.imageId, null, C.imageId]);
      expect(givenUp).toEqual([B.imageId]);
      const before = server.count(RPC.scan);
      expect(idsOf(await judge.judge([B, A], signal))).toEqual([null, A.imageId]);
      expect(idsOf(await judge.judge([B], signal))).toEqual([null]);
      expect([server.count(RPC.scan) - before, givenUp]).toEqual([1, [B.imageId]]);
    },
  );

  test('is asked for once with the others, once alone, and then whether the server works', async () => {
    const { server, judging } = start();
    const judge = await judging;
    server.bad.set(A.imageId, 'garbles');
    expect(await judge.judge([A], signal)).toEqual([null]);
    expect(server.count(RPC.scan)).toBe(3);
  });

  test('is asked for again an hour later, or by another database', async () => {
    const { server, judging, clock } = start();
    const judge = await judging;
    server.bad.set(A.imageId, 'garbles');
    expect(await judge.judge([A], signal)).toEqual([null]);
    server.bad.clear();
    clock.now = 3_600_000;
    expect(await judge.judge([A], signal)).toEqual([null]);
    clock.now += 1;
    expect(idsOf(await judge.judge([A], signal))).toEqual([A.imageId]);
    server.bad.set(B.imageId, 'garbles');
    expect(await judge.judge([B], signal)).toEqual([null]);
    server.bad.clear();
    server.database = '2026-01-02T00:00:00Z';
    expect(idsOf(await judge.judge([B], signal))).toEqual([B.imageId]);
  });

  test('is not to blame where the server gives no verdict on anything: that is away', async () => {
    const { server, givenUp, judging } = start();
    const judge = await judging;
    server.judgesNothing = true;
    await expect(judge.judge([A, B], signal)).rejects.toMatchObject({ code: 'timeout', action: 'retry' });
    server.judgesNothing = false;
    expect(idsOf(await judge.judge([A, B], signal))).toEqual([A.imageId, B.imageId]);
    expect(givenUp).toEqual([]);
  });

  test('nor where the server cannot be asked at all, however often', async () => {
    const { server, givenUp, judging } = start();
    const judge = await judging;
    server.isDown = true;
    for (let calls = 0; calls < 5; calls++)
      await expect(judge.judge([A, B], signal)).rejects.toMatchObject({ code: 'server-unreachable', action: 'retry' });
    server.isDown = false;
    expect(idsOf(await judge.judge([A, B], signal))).toEqual([A.imageId, B.imageId]);
    expect(givenUp).toEqual([]);
  });

  test('nor is one that was judged beside the one that ended the server', async () => {
    const { server, givenUp, judging } = start();
    const judge = await judging;
    server.bad.set(B.imageId, 'ends');
    const outcomes: unknown[] = [];
    for (let calls = 0; calls < 5; calls++) {
      // Somebody starts it again.
      server.isDown = false;
      outcomes.push(await judge.judge([A, B, C, D], signal).then(idsOf, (error: unknown) => (error as { readonly code: string }).code));
    }
    expect(outcomes.at(-1)).toEqual([A.imageId, null, C.imageId, D.imageId]);
    expect(outcomes.slice(0, 2)).toEqual(['server-unreachable', 'server-unreachable']);
    expect(givenUp).toEqual([B.imageId]);
  });

  test('one whose caller goes away is not to blame', async () => {
    const { server, givenUp, judging } = start();
    const judge = await judging;
    server.bad.set(A.imageId, 'hangs');
    for (let calls = 0; calls < 4; calls++) {
      const gone = new AbortController();
      const call = judge.judge([A], gone.signal);
      setTimeout(() => gone.abort(new Error('gone')), 50);
      await expect(call).rejects.toThrow('gone');
    }
    server.bad.clear();
    expect(idsOf(await judge.judge([A], signal))).toEqual([A.imageId]);
    expect(givenUp).toEqual([]);
  });

  test('keeps others waiting for their verdicts no longer than itself', async () => {
    const { server, judging } = start();
    const judge = await judging;
    server.bad.set(A.imageId, 'hangs');
    const first = judge.judge([A], signal);
    expect(idsOf(await judge.judge([B, C], signal))).toEqual([B.imageId, C.imageId]);
    expect(await first).toEqual([null]);
  });
});
