import type { JudgingServer } from './judging-server.ts';
import type { RpcAnswer } from './rpc-client.ts';
import { RPC, deleteBlobs, readMissingBlobs } from './trivy-rpc.ts';

/**
 * What the server stores. Ours keeps all in memory, several times as large as it was sent, so what no image needs any more is deleted when it
 * has become much.
 */
export class ServerBlobs {
  readonly #server: Pick<JudgingServer, 'client' | 'isOurs'>;
  readonly #limit: number;
  /** Sizes of what was sent, by key. */
  readonly #sizes = new Map<string, number>();
  readonly #holds = new Map<string, number>();
  #bytes = 0;
  #deletion: Promise<unknown> = Promise.resolve();

  /** `limit`: bytes, as they were sent. */
  constructor(server: Pick<JudgingServer, 'client' | 'isOurs'>, limit: number) {
    this.#server = server;
    this.#limit = limit;
  }

  /** From now on these blobs are not deleted. Gives the call that lets them go. */
  hold(keys: readonly string[]): () => void {
    for (const key of keys) this.#holds.set(key, (this.#holds.get(key) ?? 0) + 1);
    return () => {
      for (const key of keys) {
        const rest = (this.#holds.get(key) ?? 1) - 1;
        if (rest === 0) this.#holds.delete(key);
        else this.#holds.set(key, rest);
      }
      this.#deleteUnused();
    };
  }

  /** Which of these blobs the server lacks; they have to be held. */
  async missing(keys: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    await this.#deletion;
    return await readMissingBlobs(this.#server.client, keys, signal);
  }

  async put(key: string, request: Uint8Array, signal: AbortSignal): Promise<RpcAnswer> {
    const answer = await this.#server.client.call(RPC.putBlob, request, signal);
    if (answer.kind === 'answered') {
      this.#bytes += request.length - (this.#sizes.get(key) ?? 0);
      this.#sizes.set(key, request.length);
    }
    return answer;
  }

  #deleteUnused(): void {
    if (!this.#server.isOurs || this.#bytes <= this.#limit) return;
    const unused = [...this.#sizes.keys()].filter((key) => !this.#holds.has(key));
    if (unused.length === 0) return;
    for (const key of unused) {
      this.#bytes -= this.#sizes.get(key) ?? 0;
      this.#sizes.delete(key);
    }
    // A server that cannot even do this shows so in the next call.
    this.#deletion = Promise.all([this.#deletion, deleteBlobs(this.#server.client, unused, NEVER).catch(() => undefined)]);
  }
}

const NEVER = new AbortController().signal;
