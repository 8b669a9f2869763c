import { expect, test } from 'vitest';
import { createLog, type LogLevel } from './log.ts';

test('a line of JSON each, from the level that holds at the time', () => {
  const lines: string[] = [];
  let least: LogLevel = 'warn';
  const log = createLog({ write: (line) => void lines.push(line), now: () => 0, fields: { component: 'remover' }, least: () => least });
  log.info('not told');
  log.warn('one\ntwo', { image: 'a' });
  least = 'info';
  log.info('told');
  expect(lines).toEqual([
    '{"time":"1970-01-01T00:00:00.000Z","level":"warn","component":"remover","message":"one\\ntwo","image":"a"}\n',
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","component":"remover","message":"told"}\n',
  ]);
});
