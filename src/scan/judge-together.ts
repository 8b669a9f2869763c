import {
  encodeTrivyCalls,
  MOST_TRIVY_CALLS,
  TRIVY_CALLS_TYPE,
  TRIVY_VERSION_HEADER,
  trivyRpcBytes,
  type TrivyRpc,
} from '../api/coordinator/trivy-calls.ts';
import type { JudgeAtOnce, ReadImage } from './judging-server.ts';
import type { RpcAnswer, RpcClient } from './rpc-client.ts';
import { scannerFault } from './scanner-fault.ts';
import type { TrivyServerSource } from './trivy-options.ts';
import { parseServerVersion, RPC, type ServerVersion } from './trivy-rpc.ts';

type Together = NonNullable<TrivyServerSource['together']>;

/** What takes the calls for one image in one body. `checkVersion` throws where a verdict is by another database than it was to be. */
export function judgeTogether(
  client: RpcClient,
  { path, mostBytes }: Together,
  checkVersion: (version: ServerVersion) => void,
): JudgeAtOnce {
  /** Layers that the server was given in this run. */
  const given = new Set<string>();

  const send = async (calls: readonly TrivyRpc[], signal: AbortSignal): Promise<RpcAnswer> => {
    const { answer, headers } = await client.post({ path, type: TRIVY_CALLS_TYPE, body: encodeTrivyCalls(calls) }, signal);
    if (answer.kind === 'refused') return answer;
    const version = headers[TRIVY_VERSION_HEADER];
    if (typeof version !== 'string')
      throw scannerFault('server-bad-answer', `What is at ${client.server.base.href} does not tell by which database it judges.`);
    checkVersion(parseServerVersion(client, Buffer.from(version, 'base64')));
    return answer;
  };

  const judge = async ({ parts, putArtifact, scan }: ReadImage, keys: readonly string[], signal: AbortSignal): Promise<RpcAnswer> => {
    const calls: TrivyRpc[] = [];
    for (const key of keys) calls.push({ path: RPC.putBlob, body: parts.get(key) ?? Buffer.alloc(0) });
    calls.push({ path: RPC.putArtifact, body: putArtifact }, { path: RPC.scan, body: scan });
    let verdict: RpcAnswer | null = null;
    for (const body of bodiesOf(calls, mostBytes)) {
      verdict = await send(body, signal);
      if (verdict.kind === 'refused') return verdict;
    }
    if (verdict === null) throw new Error('there was nothing to send');
    for (const key of keys) given.add(key);
    return verdict;
  };

  return async (image, signal) => {
    const keys = [...image.parts.keys()];
    const ungiven = keys.filter((key) => !given.has(key));
    const answer = await judge(image, ungiven, signal);
    // A server that was started anew has lost what it was given.
    return answer.kind === 'refused' && ungiven.length < keys.length ? await judge(image, keys, signal) : answer;
  };
}

/** The calls in bodies of at most so many bytes each, but for a single call that is larger. */
function bodiesOf(calls: readonly TrivyRpc[], mostBytes: number): TrivyRpc[][] {
  const bodies: TrivyRpc[][] = [];
  let size = Infinity;
  for (const call of calls) {
    const bytes = trivyRpcBytes(call);
    if (size + bytes > mostBytes || bodies.at(-1)?.length === MOST_TRIVY_CALLS) {
      bodies.push([]);
      size = 0;
    }
    bodies.at(-1)?.push(call);
    size += bytes;
  }
  return bodies;
}
