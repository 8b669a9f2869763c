import { expect, test } from 'vitest';
import { parseFlags } from './parse-flags.ts';

const IMAGE = '--worker-image=registry.example/worker:1';

test('takes the flags of Eraser’s manager with one dash or two, and ours', () => {
  expect(
    parseFlags([
      IMAGE,
      '-config=/config/controller_manager_config.yaml',
      '--max-parallel',
      '10%',
      '--health-address=[::1]:9000',
      '--start-timeout=90s',
    ]),
  ).toMatchObject({
    config: '/config/controller_manager_config.yaml',
    'max-parallel': { kind: 'percent', percent: 10 },
    'health-address': { host: '::1', port: 9000 },
    'start-timeout': 90_000,
    'run-timeout': 7_200_000,
    'job-history-limit': 10,
  });
});

test.each(['spc_t', 'my_container.process', 'name_ns-1.process'])('takes the SELinux type %s', (type) => {
  expect(parseFlags([IMAGE, `--worker-selinux-type=${type}`])['worker-selinux-type']).toBe(type);
});

test.each([
  [['--worker-image='], /--worker-image: names the image/],
  [[], /--worker-image/],
  [[IMAGE, '--max-parallel=0'], /--max-parallel: Allowed are/],
  [[IMAGE, '--run-timeout=long'], /"long" is no duration/],
  [[IMAGE, '--unknown=1'], /unknown/],
  [[IMAGE, '--worker-selinux-type=spc t'], /is no SELinux type such as spc_t/],
  [[IMAGE, 'stray'], /stray/],
])('refuses %j', (args, message) => {
  expect(() => parseFlags(args)).toThrow(message);
});
