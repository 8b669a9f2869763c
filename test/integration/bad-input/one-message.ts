import { expect } from 'vitest';
import type { ExitCode } from '../../../src/cli/exit-codes.ts';
import type { CliResult } from '../run-cli.ts';

/** Nothing but one message, of a line for what is wrong and one for what to do, under the exit code. */
export function expectOneMessage(
  { code, stdout, stderr }: CliResult,
  expected: { readonly code: ExitCode; readonly message: RegExp },
): void {
  expect({ code, stdout }, stderr).toEqual({ code: expected.code, stdout: '' });
  expect(stderr).toMatch(expected.message);
  expect(stderr).toMatch(/^error: /);
  expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(3);
  expect(stderr).not.toMatch(/^ +at /m);
}
