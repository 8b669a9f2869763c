import { describe, expect, test } from 'vitest';
import { readCoordinatorAccess } from './connect-coordinator.ts';

const ENV = {
  NODE_NAME: 'node-1',
  JOB_UID: 'uid',
  COORDINATOR_URL: 'https://eraser-coordinator.eraser-system.svc:8443',
  COORDINATOR_TOKEN_FILE: '/run/image-cleaner/token/token',
  COORDINATOR_CA_FOLDER: '/run/image-cleaner/ca',
};

describe('the way to the coordinator', () => {
  test('is what the environment of a worker says', () => {
    expect(readCoordinatorAccess(ENV)).toEqual({
      url: ENV.COORDINATOR_URL,
      node: 'node-1',
      job: 'uid',
      tokenFile: '/run/image-cleaner/token/token',
      caFile: '/run/image-cleaner/ca/ca.crt',
    });
  });

  test('is none without an address', () => {
    expect(readCoordinatorAccess({ ...ENV, COORDINATOR_URL: '' })).toBeNull();
  });

  test.each(['NODE_NAME', 'JOB_UID', 'COORDINATOR_TOKEN_FILE', 'COORDINATOR_CA_FOLDER'])('is not guessed without %s', (missing) => {
    expect(() => readCoordinatorAccess({ ...ENV, [missing]: undefined })).toThrow(missing);
  });

  test.each(['http://eraser-coordinator:8443', 'eraser-coordinator:8443'])(
    'is not one on which anybody could read the token: %s',
    (url) => {
      expect(() => readCoordinatorAccess({ ...ENV, COORDINATOR_URL: url })).toThrow('https://');
    },
  );
});
