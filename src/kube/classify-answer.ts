import { apiStatusSchema, type ApiStatus } from './api-status.ts';
import { KubeError, type KubeErrorCode } from './kube-error.ts';
import { apiVersionOf, describeIntent, type Intent } from './resource.ts';

export interface FailedAnswer {
  readonly statusCode: number;
  /** The `Retry-After` header, as it came. */
  readonly retryAfter: string | undefined;
  readonly body: string;
}

export interface Asked {
  readonly intent: Intent;
  /** The API server's URL. */
  readonly server: string;
  /** Milliseconds since the epoch, for a Retry-After that is a date. */
  readonly wallNow: number;
}

/** Turns an answer other than 2xx into this room's error. */
export function classifyAnswer(answer: FailedAnswer, asked: Asked): KubeError {
  const status = parseStatus(answer.body);
  if (status !== undefined) return classifyStatus({ ...status, code: answer.statusCode }, asked, answer.retryAfter);
  const { statusCode } = answer;
  // An overloaded or starting API server, and a load balancer before it, answer in plain text.
  if (statusCode === 401 || statusCode === 403 || statusCode === 404 || statusCode === 429 || statusCode >= 500) {
    const bare = { kind: 'Status' as const, code: statusCode, reason: '', message: shortened(answer.body), details: { causes: [] } };
    return classifyStatus(bare, asked, answer.retryAfter);
  }
  return badAnswer(asked, `HTTP status ${statusCode}, ${shortened(answer.body)}`);
}

/** Turns a Status, of an answer or of an ERROR event in a watch, into this room's error. */
export function classifyStatus(status: ApiStatus, asked: Asked, retryAfter?: string): KubeError {
  const code = codeOf(status);
  const retryAfterMs = parseRetryAfter(retryAfter, asked.wallNow) ?? secondsToMs(status.details.retryAfterSeconds);
  return new KubeError({
    code,
    action: code === 'throttled' || code === 'server-error' || code === 'timeout' ? 'retry' : 'give-up',
    message: `${describeIntent(asked.intent)}: the API server at ${asked.server} answered ${answerText(status)}`,
    hint: hintFor(code, asked.intent, status),
    status,
    retryAfterMs,
    // With a Retry-After, the API server turned the request away at its door.
    notExecuted: code === 'throttled' || code === 'unauthorized' || (status.code === 503 && retryAfterMs !== undefined),
  });
}

export function badAnswer({ intent, server }: Pick<Asked, 'intent' | 'server'>, what: string, cause?: unknown): KubeError {
  return new KubeError({
    code: 'bad-answer',
    message: `${describeIntent(intent)}: what answers at ${server} is no Kubernetes API: ${what}`,
    hint: 'Check the server and proxy-url of the kubeconfig: a proxy or a login page may stand in between.',
    cause,
  });
}

function parseStatus(body: string): ApiStatus | undefined {
  try {
    return apiStatusSchema.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

function codeOf({ code, reason }: ApiStatus): KubeErrorCode {
  if (reason === 'AlreadyExists') return 'already-exists';
  // A cache of the API server that is behind, and a request that took it too long.
  if (code === 504 || reason === 'Timeout') return 'timeout';
  if (code >= 500) return 'server-error';
  return CODES[code] ?? 'refused';
}

const CODES: Readonly<Partial<Record<number, KubeErrorCode>>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'gone',
  413: 'invalid',
  415: 'invalid',
  422: 'invalid',
  429: 'throttled',
};

function hintFor(code: KubeErrorCode, intent: Intent, status: ApiStatus): string {
  if (code === 'unauthorized') return 'The token or certificate is not, or no longer, accepted: log in again, or check the kubeconfig.';
  if ('path' in intent)
    return code === 'forbidden' ? `Grant the verb "get" on the nonResourceURL ${intent.path}.` : (HINTS[code] ?? LAST_HINT);
  const { verb, resource, namespace, subresource } = intent;
  const what = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
  if (code === 'forbidden') {
    const where = namespace === undefined ? 'in the whole cluster (ClusterRole)' : `in namespace ${namespace} (Role)`;
    return `Grant the verb "${verb}" on "${what}" of API group "${resource.group}" ${where}, if RBAC refused it; admission may have, too.`;
  }
  if (code === 'not-found' && status.details.name === undefined) {
    return (
      `The cluster may not serve ${apiVersionOf(resource)} ${resource.plural}: check that its CustomResourceDefinition is installed ` +
      `("kubectl get crd ${resource.plural}.${resource.group}"), else install it with "kubectl apply -f" of the manifest that it comes with.`
    );
  }
  if (code === 'conflict' && status.details.causes.length > 0) {
    return `Another manager owns the field: ${status.details.causes.map(({ field, message }) => `${field} (${message})`).join(', ')}.`;
  }
  return HINTS[code] ?? LAST_HINT;
}

const LAST_HINT = 'See the log of the API server.';

const HINTS: Readonly<Partial<Record<KubeErrorCode, string>>> = {
  'not-found': 'It may have been deleted meanwhile.',
  'already-exists': 'Read it, and update it instead.',
  conflict: 'Another changed it meanwhile: read it again, and try again.',
  gone: 'The API server no longer keeps that history: list again.',
  invalid: 'Correct the object or the request: the message names the field.',
  throttled: 'The API server is busy: try again later.',
  timeout: 'The API server or what is behind it (etcd, a webhook) is slow: try again.',
};

function answerText({ code, reason, message }: ApiStatus): string {
  const text = message === '' ? reason : message;
  return text === '' ? String(code) : `${code}: ${text}`;
}

/** Of the header, seconds or an HTTP date; milliseconds from now, never negative. */
function parseRetryAfter(header: string | undefined, wallNow: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - wallNow);
}

function secondsToMs(seconds: number | undefined): number | undefined {
  return seconds === undefined || seconds <= 0 ? undefined : seconds * 1000;
}

const LONGEST_SHOWN = 200;

function shortened(body: string): string {
  const text = body.trim();
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
