import { errorMessage } from '../platform/errors.ts';
import { KubeError } from './kube-error.ts';
import { describeIntent, type Intent } from './resource.ts';

/** Why a call was broken off when it took longer than its deadline. */
export class DeadlineExceeded extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.name = 'TimeoutError';
  }
}

/** The connection was never made, so that nothing was sent. */
const NOT_CONNECTED = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_PRX_CONN',
];
/** OpenSSL's reasons to distrust a certificate, as Node names them. */
const UNTRUSTED =
  /^(CERT_|ERR_TLS_CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED_CERT$|UNABLE_TO_(VERIFY|GET|DECRYPT|DECODE)_|HOSTNAME_MISMATCH$|INVALID_CA$)/;
/** undici's errors, and `TimeoutError` of AbortSignal.timeout: by name, since a DOMException's code is a number. */
const TIMED_OUT = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT', 'TimeoutError'];

/** Turns what the way to the API server threw into this room's error, by the names and codes of the error and its causes. */
export function classifyFailure(error: unknown, { intent, server }: { readonly intent: Intent; readonly server: string }): KubeError {
  if (error instanceof KubeError) return error;
  const marks = marksOf(error);
  const call = describeIntent(intent);
  const detail = errorMessage(innermost(error));
  if (marks.some((mark) => UNTRUSTED.test(mark))) {
    return new KubeError({
      code: 'untrusted',
      message: `${call}: the certificate of the API server at ${server} is not trusted: ${detail}`,
      hint: 'Check certificate-authority-data and tls-server-name of the kubeconfig.',
      cause: error,
      notExecuted: true,
    });
  }
  if (marks.some((mark) => TIMED_OUT.includes(mark))) {
    return new KubeError({
      code: 'timeout',
      action: 'retry',
      message: `${call}: the API server at ${server} did not answer in time: ${detail}`,
      hint: 'It may be overloaded, or the network between drop packets.',
      cause: error,
    });
  }
  return new KubeError({
    code: 'unreachable',
    action: 'retry',
    message: `${call}: the API server at ${server} cannot be reached: ${detail}`,
    hint: 'Check that it runs, and the network, proxy and firewall between.',
    cause: error,
    notExecuted: marks.some((mark) => NOT_CONNECTED.includes(mark)),
  });
}

/** Names and codes of an error, its causes, and the attempts (one per address) that a failed connection consists of. */
function marksOf(error: unknown): string[] {
  const marks: string[] = [];
  const seen = new Set<unknown>();
  const visit = (at: unknown): void => {
    if (!(at instanceof Error) || seen.has(at)) return;
    seen.add(at);
    marks.push(at.name);
    if ('code' in at && typeof at.code === 'string') marks.push(at.code);
    if (at instanceof AggregateError) at.errors.forEach(visit);
    visit(at.cause);
  };
  visit(error);
  return marks;
}

/** `TypeError: terminated` says nothing: its cause does. So does an error of several attempts. */
function innermost(error: unknown): unknown {
  const seen = new Set<unknown>();
  let at = error;
  while (at instanceof Error && !seen.has(at)) {
    seen.add(at);
    const inner: unknown = at instanceof AggregateError ? at.errors[0] : at.cause;
    if (!(inner instanceof Error)) break;
    at = inner;
  }
  return at;
}
