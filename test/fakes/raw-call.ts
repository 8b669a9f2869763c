import { request, type RequestOptions } from 'node:https';
import { problemDetailsSchema, type ProblemDetails } from '../../src/api/coordinator/problem-details.ts';
import { runCallPath } from '../../src/api/coordinator/coordinator-api.ts';
import { RUN, TOKEN, type CoordinatorInTest } from './coordinator-in-test.ts';

export interface RawCall {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly tls?: RequestOptions;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  /** Of a refusal. */
  readonly problem: ProblemDetails | null;
}

export const PATH = (call: Parameters<typeof runCallPath>[1], run = RUN): string => runCallPath(run, call);

/** One request as it is, over a connection of its own: what a client of ours would never send, too. */
export function rawCall({ url, authority }: Pick<CoordinatorInTest, 'url' | 'authority'>, call: RawCall = {}): Promise<RawAnswer> {
  const { method = call.body === undefined ? 'GET' : 'POST', path = PATH('settings'), token = TOKEN, body, tls = {} } = call;
  const type = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  const headers = { ...authorization, ...type, ...call.headers };
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, headers, ca: authority.certificate, agent: false, ...tls }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const problem =
          response.headers['content-type'] === 'application/problem+json' ? problemDetailsSchema.parse(JSON.parse(text)) : null;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, problem });
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
