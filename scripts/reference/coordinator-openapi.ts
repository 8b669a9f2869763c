import * as z from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import {
  CALL_LIMITS,
  PODS_PATH,
  RUN_CALLS,
  runCallPath,
  type CoordinatorCall,
  type RunCall,
} from '../../src/api/coordinator/coordinator-api.ts';
import { COORDINATOR } from '../../src/api/coordinator/coordinator-objects.ts';
import { inventoryAnswerSchema, inventoryRequestSchema } from '../../src/api/coordinator/inventory-call.ts';
import { logsAnswerSchema, logsRequestSchema } from '../../src/api/coordinator/logs-call.ts';
import { podsAnswerSchema } from '../../src/api/coordinator/pods-call.ts';
import { PROBLEM_STATUS, PROBLEM_TYPE, problemDetailsSchema, type ProblemCode } from '../../src/api/coordinator/problem-details.ts';
import { resultsAnswerSchema, resultsRequestSchema } from '../../src/api/coordinator/results-call.ts';
import { scanAnswerSchema, scansHeadSchema } from '../../src/api/coordinator/scans-call.ts';
import { settingsAnswerSchema } from '../../src/api/coordinator/settings-call.ts';
import { scanReportSchema } from '../../src/api/scan-report-schemas.ts';
import { answerRefusal, refuse } from '../../src/coordinator/refusal.ts';

/** The schemas by which both sides check what they are sent, by their names in the document. */
const SCHEMAS = {
  Settings: settingsAnswerSchema,
  Inventory: inventoryRequestSchema,
  InventoryAnswer: inventoryAnswerSchema,
  ScansHead: scansHeadSchema,
  ScansAnswer: scanAnswerSchema,
  ScanReport: scanReportSchema,
  Results: resultsRequestSchema,
  ResultsAnswer: resultsAnswerSchema,
  LogPiece: logsRequestSchema,
  LogsAnswer: logsAnswerSchema,
  PodsAnswer: podsAnswerSchema,
  Problem: problemDetailsSchema,
} as const;
type SchemaName = keyof typeof SCHEMAS;

interface CallText {
  readonly summary: string;
  readonly description: string;
  readonly request: SchemaName | null;
  readonly answer: SchemaName;
  /** Beside those that every call has. */
  readonly codes: readonly ProblemCode[];
  /** One that the schema takes. */
  readonly requestExample?: unknown;
  readonly answerExample: unknown;
}

const DIGEST = 'sha256:3c8a1d0f6b0c4f7e9a2d5e8b1c4f7a0d3e6b9c2f5a8d1e4b7c0f3a6d9e2b5c81';
const EXAMPLE_RUN = { job: '6a0f8a4e-5d3c-4a55-9a53-0d6f3f2f7a11', node: 'node-1' };
const AT = Date.UTC(2026, 10, 22);

const CALLS: Readonly<Record<CoordinatorCall, CallText>> = {
  settings: {
    summary: 'What the run goes by',
    description: 'Beside the lists that its pods mount. Frozen when the run began, and the same for every worker of it.',
    request: null,
    answer: 'Settings',
    codes: ['run-ended'],
    answerExample: {
      scanPolicy: null,
      minAgeMs: 0,
      maxAgeMs: null,
      diskLimits: null,
      protections: [
        { object: { kind: 'CronJob', namespace: 'shop', name: 'nightly' }, imageReferences: ['registry.example/shop/report:1'] },
      ],
    },
  },
  inventory: {
    summary: 'Tell what is on the node, and learn the histories of its images',
    description: 'The answer knows of this look, too. May be repeated.',
    request: 'Inventory',
    answer: 'InventoryAnswer',
    codes: ['run-ended'],
    requestExample: {
      inventory: {
        runtime: { name: 'containerd', version: '2.2.3' },
        images: [{ id: DIGEST, repoTags: ['docker.io/library/nginx:1.25'], repoDigests: [], sizeBytes: 67_000_000, pinned: false }],
        containers: [],
        sandboxImageReferences: null,
      },
      inUse: [],
      filesystem: null,
    },
    answerExample: { now: AT, histories: [{ imageId: DIGEST, firstSeenAt: AT - 86_400_000, lastInUseAt: null }] },
  },
  scans: {
    summary: 'Share the work of scanning',
    description:
      'A scanner says which images it wants to know of, which it has in hand, what it has read and what it could not; the answer has the results that ' +
      'there are, and the images that are leased to it to be read. Where there is nothing to tell, the answer is kept back for `mayWaitMs` at most.\n\n' +
      'The body is the length of a head (4 bytes, unsigned, big-endian), the head (JSON in UTF-8, `#/components/schemas/ScansHead`), the recipes of ' +
      '`analyses` in their order, each of its `recipeBytes`, and the parts of `parts` in their order, each of its `bytes`; nothing follows. What a part or a ' +
      'recipe holds is a matter between a scanner and the coordinator of the same version.',
    request: 'ScansHead',
    answer: 'ScansAnswer',
    codes: ['run-ended', 'trivy-failed', 'trivy-away'],
    answerExample: { results: [], leased: [DIGEST], elsewhere: [], rest: [] },
  },
  results: {
    summary: 'Tell what came of the run on this node',
    description: 'Once: the same bytes sent again are acknowledged again and recorded no second time; other ones are refused.',
    request: 'Results',
    answer: 'ResultsAnswer',
    codes: ['run-ended', 'results-differ'],
    requestExample: {
      startedAt: AT,
      endedAt: AT + 4_000,
      mode: 'automatic',
      state: 'completed',
      message: null,
      runtime: { name: 'containerd', version: '2.2.3' },
      scanner: null,
      summary: null,
      filesystem: null,
      decisions: [
        {
          imageId: DIGEST,
          repoTags: ['docker.io/library/nginx:1.25'],
          repoDigests: [],
          sizeBytes: 67_000_000,
          estimatedBytes: 67_000_000,
          ruling: { outcome: 'remove', reason: { code: 'unused' } },
          removal: { state: 'removed', at: AT + 3_000, message: null, keptBy: null, reclaimedBytes: 67_000_000 },
        },
      ],
      omittedFindings: 0,
    },
    answerExample: { recorded: 'now' },
  },
  logs: {
    summary: 'Tell what a container of the worker pod logs',
    description:
      'In pieces that are numbered 0, 1, 2 … A piece that is sent again is acknowledged and not kept twice; one that leaves a gap is refused. Heard when ' +
      'the run is over, too, as long as the pod is there.',
    request: 'LogPiece',
    answer: 'LogsAnswer',
    codes: ['log-gap'],
    requestExample: { container: 'remover', sequence: 0, lines: ['{"level":"info","msg":"image removed"}'] },
    answerExample: { nextSequence: 1, isFull: false },
  },
  pods: {
    summary: "The pods bound to the caller's node that have not ended",
    description: 'Read from the API server after the call came in: an image that one of them names stays.',
    request: null,
    answer: 'PodsAnswer',
    codes: ['run-ended'],
    answerExample: { node: 'node-1', pods: [{ namespace: 'shop', name: 'web-0', imageReferences: ['docker.io/library/nginx:1.25'] }] },
  },
};

/** Of who is heard, and of a coordinator that cannot answer now. */
const OF_EVERY_CALL: readonly ProblemCode[] = [
  'no-token',
  'token-rejected',
  'other-audience',
  'other-account',
  'unbound-token',
  'unknown-pod',
  'pod-finished',
  'other-node',
  'too-many-refusals',
  'too-many-calls',
  'internal',
  'unavailable',
  'busy',
  'closing',
];
/** Of a call whose address names what it is about. */
const OF_A_RUN_CALL: readonly ProblemCode[] = ['other-run'];
const OF_A_BODY: readonly ProblemCode[] = [
  'cut-off',
  'not-json',
  'too-slow',
  'length-required',
  'too-large',
  'unsupported-type',
  'invalid',
];

/** The HTTP API of the coordinator as an OpenAPI document, made of what server and client themselves go by. */
export function coordinatorOpenApi(): Record<string, unknown> {
  return {
    openapi: '3.1.1',
    info: {
      title: "Image Cleaner's coordinator",
      version: packageJson.version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'What worker pods ask the manager of a cluster, and tell it. For programs of the same version or its neighbours: fields are added, and readers ignore ' +
        'those that they do not know. TLS 1.3, with a certificate whose authority worker pods mount ' +
        `(\`${COORDINATOR.caConfigMap}\`).\n\n` +
        'Every call may be repeated, and is to be where the answer is 429, 500 or 503: after `Retry-After`. An address that is none is answered with 404 ' +
        '(`not-found`), another method with 405 (`method-not-allowed`), both before the caller is asked who it is; headers of more than 16 KiB with 431, ' +
        'without a body. Made by npm run generate.',
    },
    servers: [
      {
        url: `https://${COORDINATOR.service}.{namespace}.svc:${String(COORDINATOR.port)}`,
        description: 'The Service, within the cluster.',
        variables: { namespace: { default: 'eraser-system', description: 'The namespace of the installation.' } },
      },
    ],
    security: [{ workerToken: [] }],
    tags: [
      { name: 'run', description: 'About one node in one run.' },
      { name: 'node', description: "About the caller's node." },
    ],
    paths: {
      ...Object.fromEntries(RUN_CALLS.map((call) => [templateOf(call), pathItem(call)])),
      [PODS_PATH]: pathItem('pods'),
    },
    components: {
      securitySchemes: {
        workerToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            `The token of a service account that the kubelet mounts into the worker pod (projected, audience \`${COORDINATOR.audience}\`, bound to the pod). ` +
            'The pod has to be one that the manager made, on the node and of the run that the call is about, and not to have ended; the run goes on, but for `logs`.',
        },
      },
      schemas: componentSchemas(),
    },
  };
}

function templateOf(call: RunCall): string {
  const [job, node] = ['JOB', 'NODE'];
  return runCallPath({ job, node }, call).replace(`/${job}/`, '/{job}/').replace(`/${node}/`, '/{node}/');
}

function pathItem(call: CoordinatorCall): object {
  const { method } = CALL_LIMITS[call];
  const parameter = (name: string, description: string, example: string): object => ({
    name,
    in: 'path',
    required: true,
    description,
    schema: { type: 'string', minLength: 1 },
    example,
  });
  const parameters =
    call === 'pods'
      ? {}
      : {
          parameters: [
            parameter('job', 'The uid of the ImageJob.', EXAMPLE_RUN.job),
            parameter('node', 'The name of the node that the caller runs on.', EXAMPLE_RUN.node),
          ],
        };
  return { ...parameters, [method.toLowerCase()]: operation(call) };
}

function operation(call: CoordinatorCall): object {
  const { request, answer, answerExample, codes, ...text } = CALLS[call];
  const { method, maxRequestBytes, maxAnswerBytes, timeLimitMs } = CALL_LIMITS[call];
  const limits = { 'x-max-answer-bytes': maxAnswerBytes, 'x-time-limit-ms': timeLimitMs };
  const limit = `Answered within ${String(timeLimitMs / 1_000)} s, from the first byte of the request on, in ${mebibytes(maxAnswerBytes)} at most.`;
  const refusals = [...OF_EVERY_CALL, ...(call === 'pods' ? [] : OF_A_RUN_CALL), ...(method === 'POST' ? OF_A_BODY : []), ...codes];
  return {
    operationId: call,
    summary: text.summary,
    description: `${text.description}\n\n${limit}`,
    tags: [call === 'pods' ? 'node' : 'run'],
    ...(request === null ? {} : { requestBody: requestBody(call, request, text.requestExample) }),
    responses: {
      200: {
        description: 'Done.',
        headers: COMMON_HEADERS,
        content: { 'application/json': { schema: reference(answer), example: SCHEMAS[answer].parse(answerExample) } },
      },
      ...refusalResponses(refusals),
    },
    ...(request === null ? {} : { 'x-max-request-bytes': maxRequestBytes }),
    ...limits,
  };
}

const COMMON_HEADERS = { 'Cache-Control': { schema: { const: 'no-store' } } };

function requestBody(call: CoordinatorCall, schema: SchemaName, example: unknown): object {
  const { requestType, maxRequestBytes } = CALL_LIMITS[call];
  const description = `At most ${mebibytes(maxRequestBytes)}, with a Content-Length. With \`Expect: 100-continue\` it is asked for when there is room.`;
  if (requestType === undefined) {
    const body = { schema: reference(schema), example: SCHEMAS[schema].parse(example) };
    return { required: true, description, content: { 'application/json': body } };
  }
  // Bytes have no schema in OpenAPI 3.1; that of the head, which is JSON, is said beside.
  const body = { 'x-head': reference(schema) };
  return { required: true, description: `${description} Its form is that of the description above.`, content: { [requestType]: body } };
}

function refusalResponses(codes: readonly ProblemCode[]): object {
  const byStatus = Map.groupBy(codes, (code) => PROBLEM_STATUS[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: `Refused: ${ofStatus.map((code) => `\`${code}\``).join(', ')}.`,
        headers: {
          ...COMMON_HEADERS,
          ...(status === 401 ? { 'WWW-Authenticate': { required: true, schema: { const: 'Bearer' } } } : {}),
          ...(status === 429 || status >= 500
            ? { 'Retry-After': { required: true, description: 'Seconds.', schema: { type: 'string', pattern: '^[1-9][0-9]*$' } } }
            : {}),
        },
        content: {
          [PROBLEM_TYPE]: {
            schema: {
              allOf: [reference('Problem')],
              properties: { status: { const: status }, code: { enum: ofStatus } },
            },
            example: exampleOf(ofStatus[0] ?? 'internal'),
          },
        },
      },
    ]),
  );
}

/** As the server writes it. */
function exampleOf(code: ProblemCode): unknown {
  const { body } = answerRefusal(refuse(code, { detail: 'What is wrong with this call.', allowed: 'What would be right.' }));
  return JSON.parse(body.toString('utf8'));
}

function reference(name: SchemaName): object {
  return { $ref: `#/components/schemas/${name}` };
}

/** Of what is taken: who sends may leave out what has a default, and a newer one may send more. */
function componentSchemas(): object {
  const registry = z.registry<{ id?: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(
    Object.keys(SCHEMAS).map((name) => {
      // In an OpenAPI document the dialect and the place of a schema go without saying.
      const fields = Object.entries(schemas[name] ?? {}).filter(([key]) => key !== '$schema' && key !== '$id');
      return [name, Object.fromEntries(fields)];
    }),
  );
}

function mebibytes(bytes: number): string {
  const KiB = 1024;
  return bytes >= KiB * KiB ? `${String(bytes / (KiB * KiB))} MiB` : `${String(bytes / KiB)} KiB`;
}
