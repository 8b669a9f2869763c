import { describe, expect, test } from 'vitest';
import { parseArguments } from './parse-arguments.ts';

describe('the arguments of a worker', () => {
  test('what is not given is what it is in a pod', () => {
    expect(parseArguments(['remover', '--run=manual', '--exclusions=2', '--image-list=1'])).toEqual({
      program: 'remover',
      run: 'manual',
      exclusions: 2,
      'image-list': 1,
      config: '/config/controller_manager_config.yaml',
      coordinator: 'required',
      trivy: 'trivy',
      database: 'download',
      'java-index': 'none',
      'log-level': 'info',
      'termination-log': '/dev/termination-log',
    });
  });

  test.each([
    ['no program', []],
    ['a program that there is not', ['eraser', '--exclusions=0']],
    ['two programs', ['collector', 'remover', '--exclusions=0']],
    ['without the number of exclusions', ['remover', '--run=manual']],
    ['a number that is none', ['remover', '--exclusions=-1']],
    ['an empty number', ['remover', '--exclusions=']],
    ['a run that there is not', ['remover', '--exclusions=0', '--run=manuel']],
    ['a scanner that there is not', ['collector', '--exclusions=0', '--scanner=none']],
    ['an option that is not known', ['remover', '--exclusions=0', '--dry-run']],
  ])('%s is bad usage', (_what, args) => {
    expect(() => parseArguments(args)).toThrow(expect.objectContaining({ code: 'bad-usage' }) as Error);
  });
});
