import { expect, test } from 'vitest';
import { FakeLogSink } from '../../test/fakes/fake-log-sink.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { CALL_LIMITS } from '../api/coordinator/coordinator-api.ts';
import { logsRequestSchema, LONGEST_LOG_LINE, MOST_LOG_LINES } from '../api/coordinator/logs-call.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { LogShipper } from './log-shipper.ts';

function ship(timing: Pick<typeof SYSTEM_TIMING, 'sleep'> = SYSTEM_TIMING) {
  const sink = new FakeLogSink();
  const givenUp: string[] = [];
  const shipper = new LogShipper({ container: 'remover', timing, onGivenUp: (why) => void givenUp.push(why) });
  return { sink, shipper, givenUp };
}
const untilAborted = (_: unknown, signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

test('all that was logged is acknowledged when it ends, in order', async () => {
  const { sink, shipper, givenUp } = ship();
  shipper.add('before it is connected\n');
  shipper.begin(sink);
  shipper.add('one\n');
  shipper.add('two\n');
  await shipper.end(10_000);
  expect(sink.lines).toEqual(['before it is connected', 'one', 'two']);
  expect(givenUp).toEqual([]);
});

test('lines wait for one another for a moment, so that few calls are made', async () => {
  const timing = new FakeTiming();
  const { sink, shipper } = ship(timing);
  shipper.begin(sink);
  for (let second = 0; second < 10; second++) {
    shipper.add(`line ${second}`);
    await timing.advance(1_000);
  }
  expect(sink.pieces.map(({ sequence, lines }) => [sequence, lines.length])).toEqual([
    [0, 5],
    [1, 5],
  ]);
  await shipper.end(10_000);
  expect(sink.pieces).toHaveLength(2);
});

test('each piece is one that the coordinator takes, whatever is in the lines', async () => {
  const { sink, shipper } = ship();
  const lines = [
    ...Array.from({ length: 2_500 }, (_, number) => `line ${number}`),
    'x'.repeat(LONGEST_LOG_LINE + 1),
    ...Array.from({ length: 60 }, (_, number) => '"\u0001ä'.repeat(5_000) + String(number)),
  ];
  for (const line of lines) shipper.add(line);
  shipper.begin(sink);
  await shipper.end(10_000);
  for (const piece of sink.pieces) {
    expect(logsRequestSchema.safeParse(piece).success).toBe(true);
    expect(Buffer.byteLength(JSON.stringify(piece))).toBeLessThanOrEqual(CALL_LIMITS.logs.maxRequestBytes);
  }
  expect(sink.lines).toEqual(lines.map((line) => line.slice(0, LONGEST_LOG_LINE)));
  expect(sink.pieces.length).toBeGreaterThan(lines.length / MOST_LOG_LINES);
});

test('a coordinator that does not answer holds nobody, and its end for no longer than it may', async () => {
  const { sink, shipper, givenUp } = ship();
  sink.before = untilAborted;
  shipper.begin(sink);
  shipper.add('one');
  const began = performance.now();
  await shipper.end(100);
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(givenUp).toEqual(['not acknowledged within 0.1 s']);
});

test('what waits has a bound, and what is left out is counted', async () => {
  const { sink, shipper } = ship();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  sink.before = () => promise;
  shipper.begin(sink);
  const line = 'x'.repeat(LONGEST_LOG_LINE);
  for (let count = 0; count < 200; count++) shipper.add(line);
  resolve(undefined);
  await shipper.end(10_000);
  const kept = sink.lines.filter((text) => text === line).length;
  expect(kept * LONGEST_LOG_LINE).toBe(2 * 1024 * 1024);
  const told = sink.lines.filter((text) => text !== line).map((text) => JSON.parse(text) as Record<string, unknown>);
  expect(told).toEqual([{ level: 'warn', message: expect.any(String) as string, lines: 200 - kept }]);
});

test.each(['refuses', 'keeps no more'])('one that %s is told nothing more', async (what) => {
  const timing = new FakeTiming();
  const { sink, shipper, givenUp } = ship(timing);
  if (what === 'refuses') sink.before = () => Promise.reject(new Error('the run is over'));
  else sink.isFull = true;
  shipper.begin(sink);
  shipper.add('one');
  await timing.advance(6_000);
  for (let count = 0; count < 3; count++) shipper.add('two');
  await timing.advance(6_000);
  await shipper.end(10_000);
  expect(sink.pieces).toHaveLength(what === 'refuses' ? 0 : 1);
  expect(givenUp).toHaveLength(1);
});

test('nobody to tell is no reason to wait', async () => {
  const { shipper, givenUp } = ship();
  shipper.add('one');
  shipper.begin(null);
  await shipper.end(10_000);
  expect(givenUp).toEqual([]);
});
