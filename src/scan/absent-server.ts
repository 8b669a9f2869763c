import type { JudgingServer } from './judging-server.ts';

/** Of every answer of a Trivy server to its client: nothing is stored there, and nothing is found. */
const NOTHING = Buffer.alloc(0);

/** Where somebody else judges by what Trivy reads here: it is told of no vulnerability, and what it then says of the image is no verdict. */
export function createAbsentServer(): JudgingServer {
  return {
    client: { server: { base: new URL('trivy:elsewhere') }, call: () => Promise.resolve({ kind: 'answered', body: NOTHING }) },
    isOurs: false,
    isAlive: () => true,
    checkDatabase: () => Promise.resolve(),
    explain: (error) => Promise.resolve(error),
    databaseFault: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}
