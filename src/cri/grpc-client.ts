import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { callGrpc } from './grpc-call.ts';
import { GrpcError } from './grpc-error.ts';
import type { UnixSession } from './unix-session.ts';

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Of the whole call, milliseconds. */
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A function per method of the service. A stream of answers is given as a list, once all are there. Each throws a GrpcError. */
export type GrpcClient<Service extends DescService> = {
  readonly [Name in keyof Service['method']]: Service['method'][Name] extends DescMethodUnary<infer In, infer Out>
    ? (input: MessageInitShape<In>, options: CallOptions) => Promise<MessageShape<Out>>
    : Service['method'][Name] extends DescMethodServerStreaming<infer In, infer Out>
      ? (input: MessageInitShape<In>, options: CallOptions) => Promise<MessageShape<Out>[]>
      : never;
};

export function createGrpcClient<Service extends DescService>(service: Service, session: UnixSession): GrpcClient<Service> {
  const calls = service.methods
    .filter(({ methodKind }) => methodKind === 'unary' || methodKind === 'server_streaming')
    .map((method) => [method.localName, callOf(method, session)]);
  return Object.fromEntries(calls) as GrpcClient<Service>;
}

function callOf(method: DescMethod, session: UnixSession) {
  const path = `/${method.parent.typeName}/${method.name}`;
  return async (input: MessageInitShape<DescMessage>, { signal, timeoutMs, headers = {} }: CallOptions): Promise<unknown> => {
    const message = toBinary(method.input, create(method.input, input));
    const answers = (await callGrpc(session, { path, headers, message, signal, timeoutMs })).map((bytes) => decode(method.output, bytes));
    if (method.methodKind === 'server_streaming') return answers;
    if (answers.length === 1) return answers[0];
    throw new GrpcError('internal', `the answer has ${String(answers.length)} messages in place of one`);
  };
}

function decode(schema: DescMessage, bytes: Uint8Array): unknown {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError('internal', 'the answer cannot be decoded', { cause: error });
  }
}
