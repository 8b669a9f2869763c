import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { listen, temporarySocketPath } from '../../fakes/test-runtime-server.ts';

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const HEADERS_FRAME = 1;

export interface HeldCall {
  /** Lets it pass. */
  release(): void;
  /** Lets it pass, and none of the runtime's answers back, until the connection is cut. */
  releaseUnanswered(): void;
  /** Breaks the connection off, as a runtime does that is killed. */
  cut(): void;
}

/**
 * A socket before a real runtime's that passes all bytes on, both ways, and can hold back a call before the runtime gets it: so a test acts
 * at the very call that it means. Calls are the HEADERS frames (RFC 9113, 4.1) of the client.
 */
export class RuntimeGate {
  readonly socketPath: string;
  readonly #target: string;
  readonly #server = net.createServer((client) => this.#connect(client));
  /** Calls that have come so far. */
  calls = 0;
  #hold: { readonly at: number; readonly reached: (call: HeldCall) => void } | null = null;

  private constructor(socketPath: string, target: string) {
    this.socketPath = socketPath;
    this.#target = target;
  }

  static async open(target: string): Promise<RuntimeGate> {
    const gate = new RuntimeGate(await temporarySocketPath(), target);
    await listen(gate.#server, gate.socketPath);
    return gate;
  }

  /** Holds back the call of that number, counted from now and from 1; resolves when it comes. */
  holdCall(number: number): Promise<HeldCall> {
    this.calls = 0;
    return new Promise((reached) => (this.#hold = { at: number, reached }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await rm(path.dirname(this.socketPath), { recursive: true });
  }

  #connect(client: net.Socket): void {
    const runtime = net.connect(this.#target);
    for (const [one, other] of [
      [client, runtime],
      [runtime, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
    runtime.pipe(client);
    let pending = Buffer.alloc(0);
    let nextFrame = PREFACE_BYTES;
    const pass = (): void => {
      while (pending.length >= nextFrame + FRAME_HEADER_BYTES) {
        const isCall = pending[nextFrame + 3] === HEADERS_FRAME;
        if (isCall) {
          this.calls += 1;
          const hold = this.#hold;
          if (hold?.at === this.calls) {
            this.#hold = null;
            // What was before the call goes on; the call itself is counted.
            runtime.write(pending.subarray(0, nextFrame));
            pending = pending.subarray(nextFrame);
            nextFrame = FRAME_HEADER_BYTES + pending.readUIntBE(0, 3);
            client.pause();
            const release = (): void => {
              pass();
              client.resume();
            };
            hold.reached({
              release,
              releaseUnanswered: () => {
                runtime.unpipe(client);
                runtime.resume();
                release();
              },
              cut: () => client.destroy(),
            });
            return;
          }
        }
        nextFrame += FRAME_HEADER_BYTES + pending.readUIntBE(nextFrame, 3);
      }
      const whole = Math.min(nextFrame, pending.length);
      runtime.write(pending.subarray(0, whole));
      pending = pending.subarray(whole);
      nextFrame -= whole;
    };
    client.on('data', (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      pass();
    });
  }
}
