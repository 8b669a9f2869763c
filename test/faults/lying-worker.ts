import { Agent, request } from 'node:https';
import { CALL_LIMITS, runCallPath, type NodeRun, type RunCall } from '../../src/api/coordinator/coordinator-api.ts';
import { SCANS_TYPE } from '../../src/api/coordinator/scans-call.ts';
import { DEFAULT_LIMITS } from '../../src/coordinator/limits.ts';
import { formatScans } from '../../src/coordinator/client/format-scans.ts';
import { analysisOf, SCANNER_VERSION, type NodeContent } from '../../bench/fleet.ts';

export interface LyingWorkerOptions {
  /** What its token is good for. */
  readonly own: NodeRun;
  readonly token: string;
  /** Of the coordinator, on this machine, and the name that its certificate is for. */
  readonly port: number;
  readonly host: string;
  readonly ca: string;
}

interface Said {
  readonly call: RunCall;
  readonly about: NodeRun;
  readonly body: Buffer | null;
  readonly type: string;
}

export interface Lies {
  readonly otherNode: string;
  /** One that its own node does not have. */
  readonly image: string;
  /** Of its own node. */
  readonly content: NodeContent;
}

/** More than one worker may have answered at once. */
const CALLERS = 32;
/** The last ones are answered later. */
const SLACK_MS = 1_000;
const JSON_TYPE = 'application/json';

/** The rooted node of a run: it has the token of its worker pod, and says with it what it likes. */
export class LyingWorker {
  readonly #options: LyingWorkerOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CALLERS });

  constructor(options: LyingWorkerOptions) {
    this.#options = options;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Says each lie once, and twice what is true. What of it the coordinator has not answered as it should. */
  async lie({ otherNode, image, content: { inventory, inUse } }: Lies): Promise<readonly string[]> {
    const { own } = this.#options;
    const results = Buffer.from('{}');
    const told = { type: JSON_TYPE, body: results, call: 'results' } as const;
    const replayed = {
      type: JSON_TYPE,
      call: 'inventory',
      body: Buffer.from(JSON.stringify({ inventory, inUse, filesystem: null })),
    } as const;
    const lies: readonly (readonly [what: string, said: Said])[] = [
      ['results of another node', { ...told, about: { ...own, node: otherNode } }],
      ['results of another run', { ...told, about: { ...own, job: 'another' } }],
      ['an inventory of another node', { ...replayed, about: { ...own, node: otherNode } }],
      ['results that are none', { ...told, about: own }],
      ['more than a call may hold', { ...told, body: Buffer.alloc(CALL_LIMITS.results.maxRequestBytes + 1, ' '), about: own }],
    ];
    // These are answered for as long as its pod is at work, and nothing may come of them.
    const idle: readonly (readonly [what: string, said: Said])[] = [
      ['its inventory, which it has told before', { ...replayed, about: own }],
      ['its inventory, once more', { ...replayed, about: own }],
      ['what it was not asked to read', { call: 'scans', type: SCANS_TYPE, body: falseAnalysis(image), about: own }],
    ];
    const taken: string[] = [];
    for (const [what, said] of [...lies, ...idle]) {
      const status = await this.#say(said);
      const isRefused = status >= 400 && status < 500;
      if (!isRefused && (status !== 200 || lies.some(([lie]) => lie === what))) taken.push(`${what}: was answered with ${String(status)}`);
    }
    return taken;
  }

  /** As many calls as it can make in that time, ms. What of them was answered beyond what one worker may ask. */
  async flood(ms: number): Promise<readonly string[]> {
    const end = performance.now() + ms;
    const answers = new Map<number, number>();
    const one = async (): Promise<void> => {
      while (performance.now() < end) {
        const status = await this.#say({ call: 'settings', about: this.#options.own, body: null, type: JSON_TYPE }).catch(() => 0);
        answers.set(status, (answers.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, one));
    const { burst, perSecond } = DEFAULT_LIMITS.worker;
    const most = burst + (perSecond * (ms + SLACK_MS)) / 1_000;
    return (answers.get(200) ?? 0) <= most ? [] : [`one worker had more than ${String(most)} answers: ${JSON.stringify([...answers])}`];
  }

  /** The status of the answer. */
  async #say({ call, about, body, type }: Said): Promise<number> {
    const { port, host, ca, token } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const headers = {
      host,
      authorization: `Bearer ${token}`,
      ...(body === null ? {} : { 'content-type': type, 'content-length': body.length, expect: '100-continue' }),
    };
    const path = runCallPath(about, call);
    const { method } = CALL_LIMITS[call];
    const sent = request({ host: '127.0.0.1', port, servername: host, ca, agent: this.#agent, path, method, headers });
    sent.on('error', reject);
    sent.once('continue', () => sent.end(body));
    sent.once('response', (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', reject);
    });
    if (body === null) sent.end();
    else sent.flushHeaders();
    return promise;
  }
}

/** By which it is known in a database. */
export const FALSE_PART = 'a part that nobody has read';

function falseAnalysis(imageId: string): Buffer {
  const analysis = { ...analysisOf(imageId), parts: [{ key: FALSE_PART, data: Buffer.from('{}') }] };
  return formatScans({
    scannerVersion: SCANNER_VERSION,
    wanted: [],
    inHand: [],
    mayTake: 0,
    mayWaitMs: 0,
    analyses: [analysis],
    failed: [],
  });
}
