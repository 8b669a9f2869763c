import * as z from 'zod';
import type { WebSocket } from 'undici';
import type { ApiConnection, ApiRequest, CallOptions } from './api-connection.ts';
import { apiStatusSchema } from './api-status.ts';
import { badAnswer, classifyStatus } from './classify-answer.ts';
import { hasCode, KubeError } from './kube-error.ts';
import { type ObjectReference, type ResourceIntent } from './resource.ts';
import { withDeadline } from './with-deadline.ts';

export interface Program {
  readonly container: string;
  /** The program and its arguments. No shell reads them. */
  readonly command: readonly [string, ...string[]];
  /** Of its standard output: more is a fault. */
  readonly mostBytes: number;
}

export interface ProgramEnd {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

interface Ask {
  readonly intent: ResourceIntent;
  readonly query: NonNullable<ApiRequest['query']>;
}

/** The same but for a way to close standard input, of which nothing is used; the second for API servers before Kubernetes 1.30. */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
/** The first byte of each message. */
const CHANNELS = { stdout: 1, stderr: 2, status: 3 } as const;
const DEADLINE_MS = 60_000;
/** Enough for what a program has to say of itself. */
const MOST_STDERR_BYTES = 64 * 1024;

/**
 * Runs a program in a container that is there already, by `pods/exec` over a WebSocket, with neither input nor terminal. Not repeated once it may
 * have begun. Its exit code is no error; a KubeError is thrown where it cannot be run, or the way to it breaks off.
 */
export async function execInPod(connection: ApiConnection, pod: ObjectReference, program: Program, call: CallOptions): Promise<ProgramEnd> {
  const intent: ResourceIntent = { verb: 'get', subresource: 'exec', ...pod };
  const { container, command } = program;
  const ask: Ask = { intent, query: { container, command, stdout: 'true', stderr: 'true' } };
  const deadline = { ms: call.deadlineMs ?? DEADLINE_MS, timing: connection.timing, signal: call.signal };
  for (let attempt = 1; ; attempt++) {
    try {
      return await withDeadline(deadline, async (signal) => {
        const socket = await connection.webSocket(ask, PROTOCOLS, signal);
        return await followProgram(socket, program, { connection, intent, signal });
      });
    } catch (error) {
      call.signal.throwIfAborted();
      if (!(error instanceof NotOpened)) throw connection.failure(error, intent);
      await throwWhyNot(connection, ask, call);
      // Nothing is in the way now: credentials were renewed, or the API server was away.
      if (attempt > 1) throw noWebSocket(connection, pod, error);
    }
  }
}

/** The WebSocket was refused, and the program has not begun. */
class NotOpened extends Error {}

/**
 * A WebSocket does not tell why it was refused; the answer to the same request without it does. Returns when only the WebSocket is lacking. To
 * open one takes the verb of its GET, and from Kubernetes 1.35 on that of a POST, too.
 */
async function throwWhyNot(connection: ApiConnection, { intent, query }: Ask, call: CallOptions): Promise<void> {
  for (const [verb, method] of [
    ['get', 'GET'],
    ['create', 'POST'],
  ] as const) {
    try {
      await connection.json({ intent: { ...intent, verb }, query, method, idempotent: true }, call);
    } catch (error) {
      if (hasCode(error, 'forbidden')) throw withBothVerbs(error, intent);
      if (!hasCode(error, 'invalid', 'bad-answer')) throw error;
      // "Upgrade request required" is of the API server; others are of the kubelet, as that there is no such container.
      if (error.status !== undefined && !/upgrade/i.test(error.status.message)) throw error;
    }
  }
}

function withBothVerbs({ code, message, status }: KubeError, { namespace = '' }: ResourceIntent): KubeError {
  const hint = `Grant the verbs "get" and "create" on "pods/exec" of API group "" in namespace ${namespace} (Role), if RBAC refused it; admission may have, too.`;
  return new KubeError({ code, message, hint, ...(status === undefined ? {} : { status }) });
}

function noWebSocket(connection: ApiConnection, { name, namespace = '' }: ObjectReference, cause: Error): KubeError {
  return new KubeError({
    code: 'refused',
    message: `exec in the pod ${namespace}/${name}: the API server at ${connection.server} opens no WebSocket: ${cause.message}`,
    hint: 'A proxy or load balancer between may not let WebSockets through: "kubectl exec" over the same way would fail, too.',
    cause,
  });
}

interface Way {
  readonly connection: ApiConnection;
  readonly intent: ResourceIntent;
  readonly signal: AbortSignal;
}

function followProgram(socket: WebSocket, { mostBytes }: Program, { connection, intent, signal }: Way): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const output = { stdout: [] as Buffer[], stdoutBytes: 0, stderr: [] as Buffer[], stderrBytes: 0 };
    let isOpen = false;
    let exitCode: number | null = null;
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      socket.close();
      settle();
    };
    const fail = (error: unknown): void => end(() => reject(error instanceof Error ? error : new Error(String(error))));
    const onAbort = (): void => fail(signal.reason);
    const onMessage = (data: unknown): void => {
      const message = data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(String(data));
      const content = message.subarray(1);
      if (message[0] === CHANNELS.stdout) {
        output.stdout.push(content);
        output.stdoutBytes += content.length;
        if (output.stdoutBytes > mostBytes) throw tooMuch(mostBytes);
      } else if (message[0] === CHANNELS.stderr) {
        if (output.stderrBytes < MOST_STDERR_BYTES) output.stderr.push(content);
        output.stderrBytes += content.length;
      } else if (message[0] === CHANNELS.status) exitCode = exitCodeOf(content, connection, intent);
    };
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => (isOpen = true));
    socket.addEventListener('message', ({ data }) => {
      try {
        onMessage(data);
      } catch (error) {
        fail(error);
      }
    });
    socket.addEventListener('error', ({ message, error }) => fail(isOpen ? error : new NotOpened(message)));
    socket.addEventListener('close', ({ reason }) => {
      if (exitCode === null) {
        fail(isOpen ? new Error(`the connection was closed before the program's end: ${reason}`) : new NotOpened(reason));
        return;
      }
      const { stdout, stderr } = output;
      const code = exitCode;
      end(() => resolve({ exitCode: code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') }));
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function tooMuch(mostBytes: number): KubeError {
  return new KubeError({
    code: 'refused',
    message: `the program in the pod answered with more than ${String(mostBytes)} bytes`,
    hint: 'Ask for less: of one node, of a shorter time.',
  });
}

const endSchema = z.union([
  z.object({ kind: z.literal('Status').optional(), status: z.literal('Success') }),
  z.object({
    reason: z.literal('NonZeroExitCode'),
    details: z.object({ causes: z.array(z.object({ reason: z.string(), message: z.string() })) }),
  }),
]);

/** Of what came on the status channel. Throws where the program was not run. */
function exitCodeOf(content: Buffer, connection: ApiConnection, intent: ResourceIntent): number {
  const json = parseJson(content.toString('utf8'));
  const ended = endSchema.safeParse(json).data;
  if (ended !== undefined && 'status' in ended) return 0;
  const code = Number(ended?.details.causes.find(({ reason }) => reason === 'ExitCode')?.message);
  if (Number.isInteger(code)) return code;
  const status = apiStatusSchema.safeParse({ kind: 'Status', ...(json ?? {}) });
  if (!status.success) throw badAnswer({ intent, server: connection.server }, 'no end of a program', status.error);
  throw classifyStatus(status.data, { intent, server: connection.server, wallNow: connection.wallNow() });
}

function parseJson(text: string): object | null {
  try {
    return z.looseObject({}).parse(JSON.parse(text));
  } catch {
    return null;
  }
}
